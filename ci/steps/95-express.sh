#!/usr/bin/env bash
# Node's real express-session and its stores, beside this one and mixed with it
# slow
. ci/lib.sh
. ci/servers.sh
need_cargo
need_node
need npm npm
need curl curl

cd ci/express
if ! npm ls >/dev/null 2>&1; then
    if ! may_install; then missing "the packages of ci/express" "run npm ci --prefix ci/express"; fi
    # Two of the packages are native. They are built here: their ready-made binaries come from
    # elsewhere than the registry. Node's own headers serve, where it came with them.
    need python3 python3
    need make make
    need c++ g++
    headers=$(dirname -- "$(dirname -- "$(readlink -f -- "$(command -v node)")")")
    if [[ -e $headers/include/node/node.h ]]; then export npm_config_nodedir=$headers; fi
    npm_config_build_from_source=true npm ci --no-audit --no-fund
fi
cd ../..

need_servers
cargo build --locked -p test-servers
cargo build --locked -p session-tower --example probe
"${CARGO_TARGET_DIR:-target}/debug/test-servers" redis postgres mariadb -- npm test --silent --prefix ci/express
