#!/usr/bin/env bash
# What ./dev setup --kubernetes does: puts the tools that tests/helm work with into a cache of the user's.
#
#   setup.sh                helm, and manifests (this folder's), by Go; promtool out of Debian's package
#   setup.sh --api-server   kube-apiserver by Go, the best part of an hour, etcd out of Debian's package, and the
#                           definitions of cert-manager's and the Prometheus Operator's kinds out of their modules
#
# Versions stand in go.mod here and in apiserver/. What is there already in this version is left alone. CURLEW_TOOLS
# in the environment names another folder than ~/.cache/curlew-tools; JOBS says how many compilers run at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${CURLEW_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/curlew-tools}
mkdir -p "$cache/bin"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() {
  echo "error: $1" >&2
  echo "  what to do: $2" >&2
  exit 1
}

command -v go >/dev/null || fail "Go is not installed" "install it from go.dev, or from your distribution"

version() { go list -m -f '{{.Version}}' "$1"; }

# build NAME PACKAGE FLAGS: by Go, unless it stands there already, made from the same versions and files.
build() {
  local name=$1 package=$2 flags=$3 stamp
  stamp=$({ cat go.mod go.sum; [[ $package != ./* ]] || cat "$package"/*.go; } | sha256sum | cut -d' ' -f1)
  if [[ -x $cache/bin/$name && $(cat "$cache/$name.stamp" 2>/dev/null) == "$stamp" ]]; then return; fi
  say "building $name"
  nice go build -p "${JOBS:-$(nproc)}" -ldflags "-s -w $flags" -o "$cache/bin/$name" "$package" ||
    fail "$name could not be built" "go needs the Go module proxy, or its cache"
  echo "$stamp" >"$cache/$name.stamp"
}

# unpack PACKAGE FILE: a file out of a package of Debian's, which is not installed: no service is started.
unpack() {
  [[ -x $cache/bin/$(basename "$2") ]] && return
  say "unpacking $(basename "$2")"
  local folder
  folder=$(mktemp -d)
  if (cd "$folder" && apt-get download -qq "$1" >/dev/null 2>&1 && dpkg -x ./*.deb . && cp ".$2" "$cache/bin/"); then
    rm -rf "$folder"
  else
    rm -rf "$folder"
    return 1
  fi
}

# define MODULE VERSION FOLDER KIND...: copies definitions out of a module in the version that is used here.
define() {
  local module=$1 version=$2 folder=$3 directory kind
  directory=$(go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  for kind in "${@:4}"; do install -m 644 "$directory/$folder/$kind.yaml" "$cache/definitions/"; done
}

if [[ ${1:-} == --api-server ]]; then
  mkdir -p "$cache/definitions"
  define github.com/cert-manager/cert-manager "$(version github.com/cert-manager/cert-manager)" deploy/crds \
    cert-manager.io_{certificates,issuers,clusterissuers}
  operator=github.com/prometheus-operator/prometheus-operator
  define $operator "$(version $operator/pkg/apis/monitoring)" example/prometheus-operator-crd \
    monitoring.coreos.com_{servicemonitors,podmonitors,prometheusrules}
  cd apiserver
  kubernetes=$(version k8s.io/kubernetes)
  x=k8s.io/component-base/version
  build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver "-X $x.gitVersion=$kubernetes -X $x.gitMajor=1 -X $x.gitMinor=$(cut -d. -f2 <<<"$kubernetes")"
  unpack etcd-server /usr/bin/etcd || fail "etcd could not be unpacked" "apt-get update, then again"
else
  # helm believes that it renders for the version of Kubernetes whose types it was built with.
  helm=helm.sh/helm/v3 minor=$(version k8s.io/api | cut -d. -f2)
  flags="-X $helm/internal/version.version=$(version $helm)"
  for package in chartutil lint/rules; do
    flags+=" -X $helm/pkg/$package.k8sVersionMajor=1 -X $helm/pkg/$package.k8sVersionMinor=$minor"
  done
  build helm "$helm/cmd/helm" "$flags"
  build manifests ./manifests ""
  unpack prometheus /usr/bin/promtool || say "promtool could not be unpacked (apt-get update?): rules are checked without it"
fi
say "in $cache/bin: $(ls "$cache/bin" | tr '\n' ' ')"
