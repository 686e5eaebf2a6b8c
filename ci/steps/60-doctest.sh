#!/usr/bin/env bash
# the examples in the documentation and in the README
. ci/lib.sh
need_cargo

cargo test --locked --workspace --all-features --no-fail-fast --doc
