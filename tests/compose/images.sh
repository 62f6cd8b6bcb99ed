#!/usr/bin/env bash
# images.sh RUN IMAGE…: makes Skyway's image as skyway-under-test, and a stand-in for every IMAGE that Docker does not have,
# under its own name. All of them are Debian with Debian's packages: nothing is pulled. RUN is a scratch directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
run=$1
shift

if [ -n "${REAL_IMAGES-}" ]; then
    for image in debian:bookworm-slim "$@"; do docker pull --quiet "$image"; done
fi
missing() { ! docker image inspect "$1" >/dev/null 2>&1; }

debian=debian:bookworm-slim
if missing "$debian"; then
    # This machine's own release where it is Debian, since binaries built here have to run there.
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME" || echo bookworm)
    echo "stand-in: $debian is debootstrap's $release" >&2
    debootstrap --variant=minbase "$release" "$run/debian" >"$run/debootstrap.log"
    tar --create --directory "$run/debian" . | docker import --change 'LABEL skyway.stand-in=' - "$debian" >/dev/null
    rm -rf "$run/debian"
fi

# build IMAGE STAGE: one of the stages of tests/compose/Containerfile, whose packages are fetched once for all.
build() {
    docker build --quiet --network host --label skyway.stand-in= --build-arg "DEBIAN=$debian" \
        --file tests/compose/Containerfile --target "$2" --tag "$1" tests/compose >/dev/null
}

for image in "$@"; do
    missing "$image" || continue
    stage=${image##*/}
    echo "stand-in: $image is tests/compose/Containerfile's ${stage%%:*}, not the real one" >&2
    build "$image" "${stage%%:*}"
done

if [ -n "${FROM_SOURCE-}" ]; then
    # As deploy/Containerfile does it, in a stand-in of the Rust image: this machine's toolchain and the crates it has fetched,
    # which optimises less, since that is most of the time and not what is tested.
    less=(CARGO_PROFILE_DIST_LTO=off CARGO_PROFILE_DIST_CODEGEN_UNITS=16 CARGO_PROFILE_DIST_OPT_LEVEL=1)
    rust=$(sed -n 's/^ARG RUST=//p' deploy/Containerfile)
    if missing "$rust"; then
        echo "stand-in: $rust is this machine's $(rustc --version)" >&2
        build skyway-test-compiler compiler
        container=$(docker create skyway-test-compiler true)
        tar --create --directory "$(rustc --print sysroot)" bin lib | docker cp - "$container:/usr/local"
        tar --create --directory "${CARGO_HOME:-$HOME/.cargo}" --transform 's,^,cargo/,' registry/cache registry/index |
            docker cp - "$container:/usr/local"
        docker commit --change "ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true ${less[*]}" "$container" "$rust" >/dev/null
        docker rm "$container" >/dev/null
    fi
    docker build --network none --file deploy/Containerfile --tag skyway-under-test .
else
    # The same image, but with a binary that was built here, which takes minutes less.
    cargo build --release --bin skyway
    docker build --quiet --file deploy/Containerfile --target base --tag skyway-base . >/dev/null
    install -D target/release/skyway "$run/image/skyway"
    printf 'FROM skyway-base\nCOPY skyway /usr/local/bin/skyway\n' >"$run/image/Containerfile"
    docker build --quiet --file "$run/image/Containerfile" --tag skyway-under-test "$run/image" >/dev/null
fi
