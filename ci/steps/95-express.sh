#!/usr/bin/env bash
# Node's real express-session and its stores, beside this one and mixed with it
# slow
. ci/lib.sh
. ci/servers.sh
need_cargo
need_node
need npm npm
need curl curl

# The packages of ci/express. Two are native, and built here: their ready-made binaries come from
# elsewhere than the registry. Node's own headers serve, where it came with them. Most of either is
# SQLite, whose speed does not matter here: not to optimise it makes a third of the work.
packages() {
    local headers
    headers=$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v node)")")")
    if [[ -e $headers/include/node/node.h ]]; then export npm_config_nodedir=$headers; fi
    JOBS=max CFLAGS="${CFLAGS:-} -O0" CXXFLAGS="${CXXFLAGS:-} -O0" npm_config_build_from_source=true \
        npm ci --no-audit --no-fund --prefix ci/express
}

# Whether they are there, the native ones built.
installed() {
    npm ls --prefix ci/express >/dev/null 2>&1 &&
        (cd ci/express && node -e 'require("sqlite3"); new (require("better-sqlite3"))(":memory:")') 2>/dev/null
}

installing=
if ! installed; then
    if ! may_install; then missing "the packages of ci/express" "run npm ci --prefix ci/express"; fi
    need python3 python3
    need make make
    need c++ g++
    packages &
    installing=$!
fi

need_servers
cargo build --locked -p test-servers
cargo build --locked -p session-tower --example probe --example migrated
if [[ -n $installing ]]; then wait "$installing"; fi
"${CARGO_TARGET_DIR:-target}/debug/test-servers" redis postgres mariadb -- npm test --silent --prefix ci/express
