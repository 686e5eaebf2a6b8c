#!/usr/bin/env bash
# the documentation builds, and its links lead somewhere
. ci/lib.sh
need_cargo

RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps
