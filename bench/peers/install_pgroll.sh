#!/usr/bin/env bash
# Builds pgroll (https://github.com/xataio/pgroll) into build/peers/ with the Go toolchain, from the Go module proxy, to
# be measured beside Curlew. PGROLL_VERSION: default latest. Needs go and a C compiler; takes some minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if ! command -v go >/dev/null; then
  echo "error: there is no Go toolchain: install golang, then run this again" >&2
  exit 1
fi
mkdir -p build/peers
if ! GOBIN="$PWD/build/peers" go install "github.com/xataio/pgroll@${PGROLL_VERSION:-latest}"; then
  echo "error: pgroll could not be had; the benchmark says 'not installed' and goes on without it" >&2
  exit 1
fi
build/peers/pgroll --version
