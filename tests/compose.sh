#!/usr/bin/env bash
# Brings the mesh up in containers for real, on MySQL by Compose v1 and on PostgreSQL by v2, and uses it as a person would,
# through the edge: the README's walk with its mails and its trace; then a replica of each service is stopped under load.
#
# Nothing is pulled: images that Docker does not have are stand-ins of Debian's packages, which tests/compose/images.sh makes
# and names. MySQL is MariaDB there; Jaeger and Mailpit are small servers that speak OTLP and SMTP. REAL_IMAGES=1 pulls the
# real ones instead, and FROM_SOURCE=1 builds Skyway's image from source, which takes long.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/compose/tools.sh

fail() { echo "tests/compose.sh: $1" >&2 && exit 1; }

run=$(mktemp --directory /tmp/skyway-compose.XXXXXX) # a socket's path must be short
daemon=
compose=()
finish() {
    code=$?
    trap - EXIT
    if [ "${#compose[@]}" != 0 ]; then
        [ "$code" = 0 ] || "${compose[@]}" logs --no-color --tail 30 >&2 || true
        "${compose[@]}" down --volumes --timeout 10 >/dev/null 2>&1 || true
    fi
    if [ -n "$daemon" ]; then
        kill "$daemon"
        wait "$daemon" || true
        umount "$run"/exec/netns/* 2>/dev/null || true # dockerd leaves those of containers on the host's network
    else
        # Nobody else is to take a stand-in for the real one.
        docker images --quiet --filter label=skyway.stand-in | sort --unique | xargs --no-run-if-empty docker rmi --force >/dev/null || true
    fi
    rm -rf "$run"
    exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Where no Docker answers, one of our own, which keeps its images in target/compose and leaves with us.
if ! docker info >/dev/null 2>&1; then
    export DOCKER_HOST=unix://$run/docker.sock
    dockerd --host "$DOCKER_HOST" --data-root "$PWD/target/compose" --exec-root "$run/exec" --pidfile "$run/pid" >"$run/log" 2>&1 &
    daemon=$!
    until docker info >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null || { cat "$run/log" >&2 && fail "dockerd does not start"; }
        sleep 0.2
    done
fi

# Secrets are made once, and for their owner.
deploy/env.sh "$run/env"
[ "$(stat --format %a "$run/env")" = 600 ] || fail "deploy/env.sh shows secrets to others"
! deploy/env.sh "$run/env" 2>/dev/null || fail "deploy/env.sh has replaced secrets"

v1=docker-compose v2=target/tools/docker-compose
[[ $("$v1" version --short) = 1.* ]] || fail "docker-compose is not v1, but $("$v1" version --short)"

# with COMPOSE FILE…: from here on, this Compose and these files. Both generations must read them, and not without secrets.
with() {
    files=()
    for file in "${@:2}"; do files+=(--file "$file"); done
    for each in "$v1" "$v2"; do
        "$each" --env-file "$run/env" "${files[@]}" config --quiet
        ! "$each" --env-file /dev/null "${files[@]}" config --quiet 2>/dev/null || fail "$each asks for no secrets"
    done
    compose=("$1" --project-name skyway-test --env-file "$run/env" "${files[@]}")
}
url() { echo "http://$("${compose[@]}" port "$1" "$2")"; }
up() {
    "${compose[@]}" down --volumes --timeout 0 >/dev/null 2>&1 # what a run that was killed has left
    "${compose[@]}" up --detach >"$run/up" 2>&1 || { cat "$run/up" >&2 && fail "it does not come up"; }
    tests/compose/walk.py "$(url edge 8080)" "$(url jaeger 16686)" "$(url mailpit 8025)"
}

export SKYWAY_IMAGE=skyway-under-test EDGE_PORT=127.0.0.1:0 JAEGER_PORT=127.0.0.1:0 MAILPIT_PORT=127.0.0.1:0
# shellcheck disable=SC2046 # one word each
tests/compose/images.sh "$run" $(sed -n 's/^ *image: \([^$]*\)$/\1/p' compose.yaml compose.mysql.yaml)

echo "MySQL, by Compose v1"
with "$v1" compose.yaml compose.mysql.yaml
up
"${compose[@]}" down --volumes --timeout 10 >/dev/null 2>&1

echo "PostgreSQL, by Compose v2"
with "$v2" compose.yaml
up
for service in gateway search booking orchestration mail identity; do
    tests/compose/steady.py "$(url edge 8080)" "$("${compose[@]}" ps --quiet "$service" | head -n 1)"
done
