#!/usr/bin/env bash
# the tests of all crates
. ci/lib.sh
need_cargo
# The tests start servers of their own, unless there is one already.
if [[ -z ${SESSION_TEST_REDIS_URL:-} ]] && ! command -v valkey-server >/dev/null; then
    need redis-server redis-server
fi

if command -v cargo-nextest >/dev/null; then
    cargo nextest run --locked --workspace --all-features --no-fail-fast --no-tests=pass
else
    cargo test --locked --workspace --all-features --no-fail-fast --lib --bins --tests --examples
fi
