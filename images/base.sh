#!/usr/bin/env bash
# images/base.sh FOLDER: makes a Debian 12 in FOLDER (which does not exist yet) with debootstrap, from the servers that
# this machine's apt has. For machines that reach Debian's packages and no registry of images. Needs root.
set -euo pipefail

[[ $# == 1 ]] || { sed -n '2s/^# */usage: /p' "$0" >&2; exit 2; }
suite=bookworm

# Debian's own sources, as apt has found them: main, updates and security.
sources=$(apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
  'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u | grep -E " $suite(-updates|-security)? " || true)
mirror=$(awk -v suite="$suite" '$3 == suite {print $2; exit}' <<<"$sources")
if [[ -z $mirror ]]; then
  echo "error: images/base.sh: apt knows no server of Debian 12 ($suite)" >&2
  echo "  what to do: apt-get update, or name a base of your own: BASE=IMAGE ./dev image" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! debootstrap --variant=minbase "$suite" "$1" "$mirror" >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  rm -rf "$1"
  echo "error: images/base.sh: debootstrap failed" >&2
  exit 1
fi
echo "$sources" >"$1/etc/apt/sources.list"
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
