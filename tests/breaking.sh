#!/usr/bin/env bash
# Compares proto/ with the published contract (branch main) and fails where a client would break.
# The remote's main comes first: what is committed on a local main may not be published yet.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=target/tools/buf
for ref in refs/remotes/origin/main refs/heads/main; do
    git rev-parse --quiet --verify "$ref:proto" >/dev/null 2>&1 || continue
    before=$(mktemp -d target/breaking.XXXXXX)
    trap 'rm -rf "$before"' EXIT
    git archive "$ref" proto buf.yaml | tar -x -C "$before"
    "$buf" breaking --against "$before"
    echo "buf breaking: proto/ breaks nothing of ${ref#refs/*/} ($(git rev-parse --short "$ref"))"
    exit 0
done
echo "buf breaking: no branch main with a proto/ directory, so nothing is published yet that could break"
