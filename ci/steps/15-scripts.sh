#!/usr/bin/env bash
# the shell scripts hold no traps that shellcheck knows
. ci/lib.sh
if may_install; then need shellcheck shellcheck; fi
command -v shellcheck >/dev/null || not_run "shellcheck is not installed"

shellcheck --external-sources .ci/run ci/test ci/lib.sh ci/steps/*.sh
