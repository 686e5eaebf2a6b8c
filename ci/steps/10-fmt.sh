#!/usr/bin/env bash
# the sources are formatted
. ci/lib.sh
need_cargo
need_component fmt rustfmt

cargo fmt --all --check
