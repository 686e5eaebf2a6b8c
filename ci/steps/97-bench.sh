#!/usr/bin/env bash
# the comparison with other libraries works: every answer right, no round trip too many
# slow
. ci/lib.sh
need_cargo
need_node
need npm npm
if [[ -z ${SESSION_TEST_REDIS_URL:-} ]]; then need redis-server redis-server; fi

cargo fmt --check --manifest-path bench/Cargo.toml
cargo test --locked --manifest-path bench/Cargo.toml --package session-bench --package bench-shared
# The other peers take minutes to compile. Their versions are locked: what worked when they were
# measured still does.
bench/run --quick --only ours,limit,express --stores memory,redis counts
