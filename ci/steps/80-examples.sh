#!/usr/bin/env bash
# the example programs build as a newcomer builds them
. ci/lib.sh
need_cargo

# Crate by crate, as `cargo run -p CRATE --example NAME` does: the steps that use them find them built.
for examples in session-*/examples; do
    crate=${examples%/examples}
    echo "--- $crate"
    cargo build --locked -p "$crate" --examples
done
