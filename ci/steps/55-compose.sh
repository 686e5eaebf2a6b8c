#!/usr/bin/env bash
# the stores are held to the rules on servers in containers; with --compose on those of ci/compose.yaml
# slow
. ci/lib.sh
. ci/servers.sh
. ci/docker.sh
need_cargo
command -v cargo-nextest >/dev/null || missing "cargo-nextest, which picks the tests" "run cargo install cargo-nextest"

compose=()
clean_up() {
    local status=$?
    trap - EXIT INT TERM
    set +e
    if [[ ${#compose[@]} -gt 0 ]]; then "${compose[@]}" down --volumes --timeout 1 >/dev/null 2>&1; fi
    # What a test started and could not remove, because it was killed.
    if [[ -n ${SESSION_TEST_LABEL:-} ]]; then
        docker ps --all --quiet --filter "label=session-test=$SESSION_TEST_LABEL" |
            xargs --no-run-if-empty docker rm --force >/dev/null
    fi
    stop_docker
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need_docker
need_images
if [[ ${CI_COMPOSE:-} == yes ]]; then need_compose; fi
export SESSION_TEST_LABEL=$$
tests=(cargo nextest run --locked --workspace --all-features)
"${tests[@]}" --no-run

echo "--- containers that the tests start themselves"
for kind in REDIS VALKEY POSTGRES MARIADB MYSQL; do unset "SESSION_TEST_${kind}_URL"; done
"${tests[@]}" --no-fail-fast -E 'binary(container)'

# The same rules on the same programs as in the step test, in another wrapping: by hand.
if [[ ${CI_COMPOSE:-} != yes ]]; then exit 0; fi

echo "--- the servers of ci/compose.yaml"
up
login=session:$SESSION_TEST_PASSWORD
cluster=
for ((port = SESSION_TEST_CLUSTER_FIRST_PORT; port <= SESSION_TEST_CLUSTER_LAST_PORT; port++)); do
    cluster+=,redis://:$SESSION_TEST_PASSWORD@127.0.0.1:$port
done
SESSION_TEST_REDIS_URL=redis://:$SESSION_TEST_PASSWORD@$(at redis 6379)/0
SESSION_TEST_VALKEY_URL=redis://:$SESSION_TEST_PASSWORD@$(at valkey 6379)/0
SESSION_TEST_REDIS_CLUSTER_URL=${cluster#,}
SESSION_TEST_POSTGRES_URL="postgres://$login@$(at postgres 5432)/session?sslmode=disable"
SESSION_TEST_MARIADB_URL="mysql://$login@$(at mariadb 3306)/session?ssl-mode=DISABLED"
SESSION_TEST_MYSQL_URL="mysql://$login@$(at mysql 3306)/session?ssl-mode=REQUIRED"
export SESSION_TEST_REDIS_URL SESSION_TEST_VALKEY_URL SESSION_TEST_REDIS_CLUSTER_URL \
    SESSION_TEST_POSTGRES_URL SESSION_TEST_MARIADB_URL SESSION_TEST_MYSQL_URL
export SESSION_CONFORMANCE_RESULTS="${CI_RESULTS:?}/servers in containers"
mkdir -p "$SESSION_CONFORMANCE_RESULTS"
# Those that ci/compose.yaml does not have start here.
"${CARGO_TARGET_DIR:-target}/debug/test-servers" redis-sentinel redis-tls -- \
    "${tests[@]}" --no-fail-fast -E 'binary(/^conformance/)'
{
    version redis redis-server
    version valkey valkey-server
    version postgres postgres
    version mariadb mariadbd
    version mysql mysqld
} >>"$SESSION_CONFORMANCE_RESULTS/servers.tsv"
check_results "$SESSION_CONFORMANCE_RESULTS"
