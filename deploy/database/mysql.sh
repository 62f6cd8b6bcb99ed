#!/usr/bin/env bash
# A database and a user for each service, who can open no other's. MySQL's image runs this once, on an empty volume.
set -euo pipefail

for service in search booking orchestration identity mail; do
    password=${service^^}_DATABASE_PASSWORD
    MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root <<SQL
CREATE DATABASE $service CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER '$service'@'%' IDENTIFIED BY '${!password}';
GRANT ALL PRIVILEGES ON $service.* TO '$service'@'%';
SQL
done
