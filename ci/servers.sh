# Sourced by the steps that need servers: their programs, from Debian's packages.
# shellcheck shell=bash

# What the tests are run with, as test-servers calls it.
readonly KINDS=(redis valkey redis-cluster redis-sentinel redis-tls postgres mariadb mysql)
export KINDS

# root NAME SUITE PACKAGE...: these packages of another Debian and all that they depend on, unpacked
# in a directory of their own, which it prints. Nothing of them is installed.
root() {
    local name=$1 suite=$2 part done
    shift 2
    done=$(cache)/$name-$suite
    part=$done.part
    if [[ ! -e $done ]]; then
        need mmdebstrap mmdebstrap >&2
        rm -rf -- "$part"
        local IFS=,
        # A mirror may be behind; what it has is signed all the same.
        mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
            --include="$*" "$suite" "$part" >&2
        mv -- "$part" "$done"
    fi
    echo "$done"
}

# program ROOT PATH ARGUMENT...: puts a program of such a directory on the PATH, with the libraries
# that it was built for; the arguments follow those that it is called with.
program() {
    local root=$1 path=$2 loader bin
    shift 2
    bin=$(cache)/bin
    mkdir -p "$bin"
    loader=$(find "$root"/usr/lib/*-linux-gnu* -maxdepth 1 -name 'ld-linux*.so.*' | head -n 1)
    {
        echo '#!/bin/sh'
        printf 'exec %q --library-path %q %q "$@"' "$loader" "${loader%/*}" "$root$path"
        if [[ $# -gt 0 ]]; then printf ' %q' "$@"; fi
        echo
    } >"$bin/${path##*/}"
    chmod 755 "$bin/${path##*/}"
    if [[ :$PATH: != *":$bin:"* ]]; then PATH=$bin:$PATH; fi
}

# is_mysql PROGRAM: it is there, and is not MariaDB under that name.
is_mysql() {
    command -v "$1" >/dev/null && ! "$1" --version | grep -q MariaDB
}

# need_servers: the programs of all servers that the environment does not name. Whoever may not
# install gets those that there are, and is told of the others by test-servers.
need_servers() {
    if ! may_install; then return; fi
    if [[ -z ${SESSION_TEST_REDIS_URL:-} || -z ${SESSION_TEST_REDIS_CLUSTER_URL:-} ||
        -z ${SESSION_TEST_REDIS_SENTINEL_URL:-} || -z ${SESSION_TEST_REDIS_TLS_URL:-} ]]; then
        need redis-server redis-server
    fi
    # The tests of test-servers itself start these, whatever the environment names.
    need redis-cli redis-tools
    if ! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then need postgres postgresql; fi
    if ! command -v mariadbd >/dev/null; then need mariadb-install-db mariadb-server-core; fi
    need mariadb mariadb-client-core

    # Debian 12 has neither of these. Where the Debians that have them cannot be reached, their
    # relatives stand in, and the results say so.
    local from
    if [[ -z ${SESSION_TEST_VALKEY_URL:-} ]] && ! command -v valkey-server >/dev/null; then
        if from=$(root valkey trixie valkey-server); then
            program "$from" /usr/bin/valkey-server
        else
            export SESSION_TEST_STAND_INS=yes
        fi
    fi
    if [[ -z ${SESSION_TEST_MYSQL_URL:-} ]] && ! is_mysql mysqld; then
        if from=$(root mysql sid mysql-server-core); then
            program "$from" /usr/sbin/mysqld --lc-messages-dir="$from/usr/share/mysql" \
                --character-sets-dir="$from/usr/share/mysql/charsets" \
                --plugin-dir="$from/usr/lib/mysql/plugin"
        else
            export SESSION_TEST_STAND_INS=yes
        fi
    fi
}
