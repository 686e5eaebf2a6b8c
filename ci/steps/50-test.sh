#!/usr/bin/env bash
# the tests of all crates
. ci/lib.sh
need_cargo

if command -v cargo-nextest >/dev/null; then
    cargo nextest run --locked --workspace --all-features --no-fail-fast --no-tests=pass
else
    cargo test --locked --workspace --all-features --no-fail-fast --lib --bins --tests --examples
fi
