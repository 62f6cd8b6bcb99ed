#!/usr/bin/env bash
# As PostgreSQL's image does: makes a database at the first start, with the password of POSTGRES_PASSWORD, runs the scripts of
# /docker-entrypoint-initdb.d while only its socket answers, then serves everywhere.
set -euo pipefail
export PGDATA=/var/lib/postgresql/data POSTGRES_USER=postgres

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres "$PGDATA" /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    chmod 0700 "$PGDATA"
    initdb --username=postgres --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*; do "$script"; done
    pg_ctl --wait --mode=fast stop
fi
exec "$@" -c listen_addresses='*'
