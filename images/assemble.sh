#!/usr/bin/env bash
# images/assemble.sh controller|agent|cli PROGRAMS ROOT
#
# Makes ROOT (a folder that does not exist yet) all that an image holds: the program from the folder PROGRAMS, the
# libraries that it needs, and what those look up at run time. Everything but the program comes from the Debian
# packages of the system that this runs on, and is recorded with its package, so that scanners know it.
# docs/images.md says why so. The Dockerfile runs it in a stage of its own, the tests on the machine itself.
#
# SOURCE_DATE_EPOCH is the time of all files (default 0). Writes nothing outside of ROOT.
set -euo pipefail
export LC_ALL=C.UTF-8

[[ $# == 3 && $1 =~ ^(controller|agent|cli)$ ]] || { sed -n '2s/^# */usage: /p' "$0" >&2; exit 2; }
name=$1 programs=$2 root=$3
epoch=${SOURCE_DATE_EPOCH:-0}

fail() {
  echo "error: images/assemble.sh: $1" >&2
  echo "  what to do: $2" >&2
  exit 1
}

# What each image holds besides libraries: its program, and others' programs.
postgres=(/usr/lib/postgresql/*/bin/pg_dump)
postgres=${postgres[-1]%/*}
case $name in
  controller) program=curlew-controller others=() ;;
  agent) program=curlew-agent others=("$postgres"/{pg_dump,pg_restore,psql}) ;;
  cli) program=curlew others=() ;;
esac

[[ -x $programs/$program ]] || fail "there is no $programs/$program" "build it: ./dev build $program"
[[ ! -e $root ]] || fail "$root exists" "name a folder that does not exist"
command -v strip >/dev/null || fail "strip is missing" "apt-get install binutils"
umask 022
mkdir -p "$root"

# The skeleton. /lib and /usr/lib are one, as in Debian. /dev, /proc and /sys are there so that a read-only root can be
# mounted upon.
mkdir -p "$root"/{dev,proc,sys,tmp,etc,home/curlew,usr/bin,usr/lib/ssl,usr/lib64,var/lib/dpkg/status.d}
chmod 1777 "$root/tmp"
for folder in lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
strip --strip-all -o "$root/usr/bin/$program" "$programs/$program"
for other in "${others[@]}"; do ln -s "$other" "$root/usr/bin/${other##*/}"; done

# Names: libpq looks up who it runs as; hosts come from /etc/hosts, then DNS (both are a part of libc).
cat >"$root/etc/passwd" <<'END'
root:x:0:0:root:/root:/sbin/nologin
curlew:x:65532:65532:Curlew:/home/curlew:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
END
cat >"$root/etc/group" <<'END'
root:x:0:
curlew:x:65532:
nogroup:x:65534:
END
cat >"$root/etc/nsswitch.conf" <<'END'
passwd: files
group: files
hosts: files dns
END
# OpenSSL looks for authorities in a file of its own folder.
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"

# The loader and the libraries that the programs need, directly or not.
libraries=$(ldd "$programs/$program" "${others[@]}") || fail "ldd cannot read $programs/$program" "see: ldd $programs/$program"
missing=$(grep -m 1 'not found' <<<"$libraries" || true)
[[ -z $missing ]] || fail "a library is missing: ${missing//[$'\t']/}" "install the packages that images/Dockerfile names"

# All that is copied: paths of the system, with what links lead to.
copied=$({
  awk '$2 == "=>" && $3 ~ /^\// {print $3} $1 ~ /^\// && $2 ~ /^\(/ {print $1}' <<<"$libraries"
  printf '%s\n' "${others[@]}"
  # Time zones, which windows of pipelines name, without the copies that count leap seconds and the link to what the
  # machine has.
  find /usr/share/zoneinfo \( -name right -o -name posix \) -prune -o ! -type d ! -name localtime -print
  # The one locale: UTF-8, and nothing else of any language.
  find /usr/lib/locale/C.utf8 -type f
  # Who is trusted where nobody says otherwise: webhooks over https.
  echo /etc/ssl/certs/ca-certificates.crt
  # What tells scanners and people what this is; the texts that the packages' licences refer to.
  printf '%s\n' /usr/lib/os-release /etc/os-release /etc/debian_version /usr/share/common-licenses/*
} | sed -E -e '/^$/d' -e 's#^/(lib|lib64)/#/usr/\1/#' | sort -u)
linked=$copied
while linked=$(xargs -d '\n' -a <(echo "$linked") sh -c 'find "$@" -maxdepth 0 -type l -printf "%p %l\n"' - |
  awk '{ print $2 ~ /^\// ? $2 : substr($1, 1, match($1, /[^\/]*$/) - 1) $2 }' | xargs -r -d '\n' realpath -s -m --) &&
  [[ -n $linked ]]; do
  copied=$(printf '%s\n' "$copied" "$linked" | sed -E 's#^/(lib|lib64)/#/usr/\1/#' | sort -u)
done
sed 's#^/##' <<<"$copied" | tar -C / --create --files-from - | tar -C "$root" --extract --no-same-owner ||
  fail "not all that is needed is there" "install the packages that images/Dockerfile names"

# Whose each file is. Packages name files by the folders that they had before /usr was merged, or after.
owners=$(sed -nE 'p; s#^/usr(/lib)#\1#p' <<<"$copied" | xargs -d '\n' dpkg-query -S 2>/dev/null |
  sed -E -e 's#: /lib#: /usr/lib#' -e 's#^([^ ,]+)(, [^ ,]+)*: #\1 #' | sort -u -k 2,2) || true
# Made by its package's own script.
owners+=$'\nca-certificates /etc/ssl/certs/ca-certificates.crt'
orphan=$(comm -23 <(echo "$copied") <(cut -d' ' -f2 <<<"$owners" | sort) | head -n 1)
[[ -z $orphan ]] || fail "$orphan is of no Debian package" "images hold files of packages only; see: dpkg -S $orphan"

# One record a package, in the form that scanners of images without dpkg read: what dpkg knows of it, and the hashes of
# those of its files that are here. And the text of its licence.
mapfile -t packages < <(cut -d' ' -f1 <<<"$owners" | sort -u)
records=$root/var/lib/dpkg/status.d
dpkg-query -s "${packages[@]}" | awk -v records="$records" '
  $1 == "Package:" { record = records "/" $2 }
  /^$/ { close(record); next }
  /^[^ ]/ { settings = $1 == "Conffiles:" }
  !settings { print >record }'
hashes=()
for package in "${packages[@]}"; do
  hashes+=("/var/lib/dpkg/info/$package.md5sums")
  : >"$records/${package%%:*}.md5sums"
done
awk -v records="$records" '
  FNR == 1 && NR > 1 { package = FILENAME; sub(/.*\//, "", package); record = package; sub(/:[^.]*/, "", record); sub(/\.md5sums$/, "", package) }
  NR == FNR { owner[$2] = $1; next }
  { path = substr($0, 35); sub(/^lib/, "usr/lib", path) }
  owner["/" path] == package { print $1 "  " path >(records "/" record) }' <(echo "$owners") "${hashes[@]}"
printf 'usr/share/doc/%s/copyright\n' "${packages[@]%%:*}" |
  tar -C / --create --dereference --hard-dereference --files-from - | tar -C "$root" --extract --no-same-owner ||
  fail "a package has no copyright file" "reinstall it: apt-get install --reinstall PACKAGE"

find "$root" -exec touch --no-dereference --date="@$epoch" {} +
echo "$name: ${#packages[@]} packages, $(du -sm --apparent-size "$root" | cut -f1) MB"
