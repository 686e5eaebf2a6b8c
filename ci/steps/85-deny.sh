#!/usr/bin/env bash
# licences and sources of the dependencies
. ci/lib.sh
need_cargo
need_cargo_deny

cargo deny --locked check bans licenses sources
