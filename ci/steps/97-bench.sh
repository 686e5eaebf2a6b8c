#!/usr/bin/env bash
# the comparison with other libraries works: every answer right, no round trip too many
# slow
. ci/lib.sh
need_cargo
need_component fmt rustfmt
need_node
need npm npm
if [[ -z ${SESSION_TEST_REDIS_URL:-} ]]; then need redis-server redis-server; fi

# What both workspaces need is built once.
CARGO_TARGET_DIR=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR

cargo fmt --all --check --manifest-path bench/Cargo.toml
cargo fmt --check --manifest-path bench/stacks/tower-sessions/Cargo.toml
cargo test --locked --manifest-path bench/Cargo.toml --package session-bench --package bench-shared
# The other peers, and the stores on SQL and sled, take minutes to compile. Their versions are
# locked: what worked when they were measured still does.
if ! (cd bench/stacks/express && npm ls >/dev/null 2>&1) && ! may_install; then
    missing "the packages of bench/stacks/express" "run npm ci --prefix bench/stacks/express"
fi
bench/run --quick --only ours,limit,express --stores memory,redis counts
