#!/usr/bin/env bash
# no warnings from the compiler or clippy, tests and examples included
. ci/lib.sh
need_cargo
need_component clippy clippy

cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
