#!/usr/bin/env bash
# no dependency has a known fault, is abandoned or was withdrawn
. ci/lib.sh
need_cargo
need git git
need_cargo_deny

# The database is a repository on GitHub. An old copy of it would only look like an answer.
cargo deny --locked fetch db || not_run "the advisory database cannot be fetched"
cargo deny --locked check advisories
