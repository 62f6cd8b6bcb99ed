#!/usr/bin/env bash
# Makes the secrets that compose.yaml asks for: env.sh [FILE], by default .env beside compose.yaml, which Compose reads by
# itself. A file that is there is left alone: whoever lost these keys and passwords has lost what they guard.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-.env}

if [ -e "$file" ]; then
    echo "deploy/env.sh: $file is there already; move it away to have new secrets, and remember that databases keep the old" >&2
    exit 1
fi

# secret BYTES: as many random bytes in hexadecimal digits, which need no quoting in any URL or file.
secret() {
    od -A n -N "$1" -t x1 /dev/urandom | tr -d ' \n'
}

umask 077
set -o noclobber # two at a time must not mix
cat >"$file" <<ENV
# Keys of 32 bytes: services know each other by the first, search signs offers with the second, identity guards its
# signing keys with the third.
SKYWAY_MESH_KEY=$(secret 32)
SKYWAY_SEARCH_OFFER_KEY=$(secret 32)
SKYWAY_IDENTITY_KEY=$(secret 32)

# First administrator.
SKYWAY_IDENTITY_ADMIN_EMAIL=admin@skyway.local
SKYWAY_IDENTITY_ADMIN_PASSWORD=$(secret 12)

# The database server's own user, and each service's in its database.
DATABASE_PASSWORD=$(secret 24)
SEARCH_DATABASE_PASSWORD=$(secret 24)
BOOKING_DATABASE_PASSWORD=$(secret 24)
ORCHESTRATION_DATABASE_PASSWORD=$(secret 24)
IDENTITY_DATABASE_PASSWORD=$(secret 24)
MAIL_DATABASE_PASSWORD=$(secret 24)

REDIS_PASSWORD=$(secret 24)

# Where this machine serves REST, and shows traces and mails; the latter two ask nobody who they are.
EDGE_PORT=8080
JAEGER_PORT=127.0.0.1:16686
MAILPIT_PORT=127.0.0.1:8025
ENV
echo "deploy/env.sh: secrets are in $file" >&2
