#!/usr/bin/env bash
# licences and sources of the dependencies
. ci/lib.sh
need_cargo
command -v cargo-deny >/dev/null || not_run "cargo-deny is not installed"

# Advisories change from day to day: `cargo deny check advisories` is for a schedule, not for a commit.
cargo deny check bans licenses sources
