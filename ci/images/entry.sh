#!/bin/sh
# What the official images do when they start, as far as ci/compose.yaml and the tests rely on it:
# the same variables, the same arguments. SERVER is the program that this image is for.
set -eu
case ${1:--} in
-*) set -- "$SERVER" "$@" ;;
esac

# As the user with the number $1, which the image has no name for.
as() {
    user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
}

case $1 in
postgres)
    shift
    data=${PGDATA:-/var/lib/postgresql/data}
    user=${POSTGRES_USER:-postgres}
    PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
    if [ ! -e "$data/PG_VERSION" ]; then
        mkdir -p "$data"
        chmod 700 "$data"
        echo "${POSTGRES_PASSWORD:?}" >/tmp/password
        chown -R 999:999 "$data" /tmp/password
        as 999 initdb --no-locale --encoding UTF8 --username "$user" --pwfile /tmp/password \
            --auth-local trust --auth-host scram-sha-256 --no-sync --pgdata "$data"
        echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
        if [ "${POSTGRES_DB:-$user}" != postgres ]; then
            echo "CREATE DATABASE \"${POSTGRES_DB:-$user}\"" | as 999 postgres --single -D "$data" postgres
        fi
    fi
    exec setpriv --reuid=999 --regid=999 --clear-groups postgres -D "$data" \
        -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
    ;;
mariadbd | mysqld)
    program=$1
    shift
    data=/var/lib/mysql
    user=${MARIADB_USER:-${MYSQL_USER:-}}
    if [ ! -e "$data/mysql" ] && [ "$program" = mariadbd ]; then
        mariadb-install-db --no-defaults --user=root --datadir="$data" --skip-test-db \
            --auth-root-authentication-method=normal >/dev/null
    elif [ ! -e "$data/mysql" ]; then
        mkdir -p /var/lib/mysql-files
        mysqld --no-defaults --user=root --datadir="$data" --initialize-insecure
    fi
    root=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    {
        echo "ALTER USER root@localhost IDENTIFIED BY '$root';"
        if [ -n "${MARIADB_DATABASE:-${MYSQL_DATABASE:-}}" ]; then
            echo "CREATE DATABASE IF NOT EXISTS \`${MARIADB_DATABASE:-$MYSQL_DATABASE}\`;"
        fi
        if [ -n "$user" ]; then
            echo "CREATE USER IF NOT EXISTS '$user'@'%' IDENTIFIED BY '${MARIADB_PASSWORD:-$MYSQL_PASSWORD}';"
            echo "GRANT ALL ON \`${MARIADB_DATABASE:-$MYSQL_DATABASE}\`.* TO '$user'@'%';"
        fi
    } >/tmp/login.sql
    exec "$program" --no-defaults --user=root --datadir="$data" --socket=/tmp/mysql.sock \
        --pid-file=/tmp/mysql.pid --init-file=/tmp/login.sql "$@"
    ;;
*)
    exec "$@"
    ;;
esac
