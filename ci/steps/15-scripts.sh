#!/usr/bin/env bash
# the shell scripts hold no traps that shellcheck knows, and what ci/test is made of works
. ci/lib.sh
need_node
if may_install; then need shellcheck shellcheck; fi

node --test ci/table.test.js
command -v shellcheck >/dev/null || not_run "shellcheck is not installed"
shellcheck --external-sources .ci/run bench/run ci/test ci/*.sh ci/steps/*.sh ci/servers/src/guard.sh ci/images/build ci/images/*.sh
