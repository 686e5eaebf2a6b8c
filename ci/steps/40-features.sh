#!/usr/bin/env bash
# every crate builds without its features, and with each of them alone
. ci/lib.sh
need_cargo
need_component clippy clippy
need_node

cargo metadata --locked --no-deps --format-version 1 >"$TMPDIR/metadata.json"
node -e '
    const { packages } = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    for (const { name, features } of packages) {
        console.log(name, "");
        for (const feature of Object.keys(features)) console.log(name, feature);
    }
' "$TMPDIR/metadata.json" >"$TMPDIR/features"

broken=0
while read -r package feature; do
    echo "--- $package: ${feature:-no features}"
    cargo clippy --locked --quiet -p "$package" --no-default-features --features "$feature" -- -D warnings ||
        broken=1
done <"$TMPDIR/features"
exit "$broken"
