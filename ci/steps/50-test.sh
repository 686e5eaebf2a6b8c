#!/usr/bin/env bash
# the tests of all crates, against servers of each kind
. ci/lib.sh
. ci/servers.sh
need_cargo
need_servers

if command -v cargo-nextest >/dev/null; then
    # The tests that start a container each are those of the step compose.
    tests=(cargo nextest run --locked --workspace --all-features -E 'not binary(container)')
else
    tests=(cargo test --locked --workspace --all-features --lib --bins --tests --examples)
fi
# Built before the servers start; the program that starts them is among what is built.
"${tests[@]}" --no-run
export SESSION_CONFORMANCE_RESULTS="${CI_RESULTS:?}/servers started here"
mkdir -p "$SESSION_CONFORMANCE_RESULTS"
"${CARGO_TARGET_DIR:-target}/debug/test-servers" "${KINDS[@]}" -- "${tests[@]}" --no-fail-fast
check_results "$SESSION_CONFORMANCE_RESULTS"
