#!/usr/bin/env bash
# A database and a user for each service, which can open no other's. PostgreSQL's image runs this once, on an empty volume.
set -euo pipefail

for service in search booking orchestration identity mail; do
    password=${service^^}_DATABASE_PASSWORD
    psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
        --set service="$service" --set password="${!password}" <<'SQL'
CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE CONNECT ON DATABASE :"service" FROM PUBLIC;
SQL
done
