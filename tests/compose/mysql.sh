#!/usr/bin/env bash
# As MySQL's image does, with MariaDB: makes a database at the first start, with the password of MYSQL_ROOT_PASSWORD, runs the
# scripts of /docker-entrypoint-initdb.d while only its socket answers, then serves everywhere.
set -euo pipefail
data=/var/lib/mysql

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$data" /run/mysqld
    chown mysql "$data" /run/mysqld
    exec setpriv --reuid mysql --regid mysql --init-groups "$0" "$@"
fi

if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --datadir="$data" --auth-root-authentication-method=normal --skip-test-db
    mariadbd --skip-networking &
    server=$!
    until mysqladmin ping --silent; do
        kill -0 "$server" # or it will never answer
        sleep 0.2
    done
    mysql --user=root --execute="ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD'"
    for script in /docker-entrypoint-initdb.d/*; do "$script"; done
    kill "$server"
    wait "$server"
fi
exec "$@" --bind-address=0.0.0.0
