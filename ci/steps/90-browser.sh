#!/usr/bin/env bash
# the demo, used in a real browser
# slow
. ci/lib.sh
need_cargo
need_node
need npm npm
if [[ -z ${CHROMIUM:-} ]] && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
    need chromium chromium
fi

cd ci/browser
if ! npm ls >/dev/null 2>&1; then
    if ! may_install; then missing "the browser test's library" "run npm ci --prefix ci/browser"; fi
    npm ci --no-audit --no-fund
fi
npm test --silent
