#!/usr/bin/env bash
# the example programs build as a newcomer builds them
. ci/lib.sh
need_cargo

cargo build --locked --workspace --examples
