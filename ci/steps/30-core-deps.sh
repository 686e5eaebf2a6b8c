#!/usr/bin/env bash
# session-core depends on no runtime, no web framework and no backend
. ci/lib.sh
need_cargo

banned='tokio|async-std|smol|axum|axum-core|actix-web|tower|tower-service|tower-layer|hyper|sqlx|sqlx-core|redis|sled'

# What is linked and what builds it, for every platform and with every feature.
tree=$(cargo tree --locked -p session-core --all-features --edges normal,build --target all --prefix none)
if found=$(grep -E "^($banned) " <<<"$tree"); then
    echo "session-core must not depend on:"
    sort -u <<<"$found"
    exit 1
fi
echo "session-core: $(cut -d ' ' -f 1 <<<"$tree" | sort -u | wc -l) crates, none of them banned"
