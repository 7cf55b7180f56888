#!/usr/bin/env bash
# images/build.sh: what ./dev image does; see ./dev image --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() {
  echo "error: $1" >&2
  echo "  what to do: $2" >&2
  exit "${3:-1}"
}

given=("$@")
images=() check=0 prebuilt=
while (($#)); do
  case $1 in
    controller | agent | cli) images+=("$1") ;;
    all) images+=(controller agent cli) ;;
    --check) check=1 ;;
    --prebuilt)
      [[ ${2:-} =~ ^build(-release)?/bin/?$ ]] || fail "--prebuilt takes build/bin or build-release/bin, not \"${2:-}\"" "name one of them" 2
      prebuilt=${2%/}
      shift
      ;;
    *) fail "$1 is not known" "./dev image --help" 2 ;;
  esac
  shift
done
((${#images[@]})) || images=(controller agent cli)

if [[ -n $prebuilt ]]; then
  for program in curlew curlew-agent curlew-controller; do
    [[ -x $prebuilt/$program ]] || fail "there is no $prebuilt/$program" "build it: ./dev build $program"
  done
fi

out=build/images
mkdir -p "$out"
version=$(sed -nE 's/^project\(curlew VERSION ([0-9.]+).*/\1/p' CMakeLists.txt)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# Nobody knows of which commit programs are that stood there already, and a changed tree is of none.
revision=
[[ -n $prebuilt || -n $(git status --porcelain) ]] || revision=$(git rev-parse HEAD)
arguments=(--file images/Dockerfile
  --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
  --build-arg "CREATED=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" --build-arg "JOBS=${JOBS:-}")
[[ -z $prebuilt ]] || arguments+=(--build-arg PROGRAMS=prebuilt --build-arg "PREBUILT=$prebuilt")

if docker info >/dev/null 2>&1; then
  builder=docker
  base=${BASE:-debian:12-slim}
  # build NAME ID-FILE OPTION...: builds one image, tags it and writes its id.
  build() { docker build "${arguments[@]}" --build-arg "BASE=$base" --target "$1" --tag "curlew-$1:$version" --iidfile "$2" "${@:3}" .; }
  save() { docker save --output "$2" "curlew-$1:$version"; }
else
  builder=buildah
  [[ $(id -u) == 0 ]] || fail "without a Docker engine, images are built by buildah, as root" "sudo ./dev image"
  command -v buildah >/dev/null || fail "there is neither a Docker engine nor buildah" "apt-get install buildah debootstrap"
  # Buildah leaves mounts behind. They end with a namespace of their own.
  [[ -n ${CURLEW_IMAGE_MOUNTS:-} ]] || CURLEW_IMAGE_MOUNTS=own exec unshare --mount --propagation private images/build.sh "${given[@]}"
  store=$PWD/$out/storage
  temporary=$(mktemp -d)
  trap 'rm -rf --one-file-system "$temporary"' EXIT
  # Nothing that another build has left gets in: this store is the work tree's own.
  buildah=(buildah --root "$store" --runroot "$temporary/run" --storage-driver)
  base=${BASE:-localhost/curlew-base:12}
  ((!check)) || rm -rf --one-file-system "$store"
  # vfs copies everything at every step, but needs nothing of the kernel.
  if [[ ! -d $store/vfs ]] && "${buildah[@]}" overlay info >/dev/null 2>&1; then buildah+=(overlay); else buildah+=(vfs); fi
  if [[ -z ${BASE:-} ]] && ! "${buildah[@]}" inspect --type image "$base" >/dev/null 2>&1; then
    say "making a Debian 12 to build in"
    images/base.sh "$temporary/root"
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add --quiet "$container" "$temporary/root" / >/dev/null
    "${buildah[@]}" commit --quiet --rm "$container" "$base" >/dev/null
    rm -rf --one-file-system "$temporary/root"
  fi
  build() {
    "${buildah[@]}" build --isolation chroot --format oci --layers --identity-label=false --timestamp "$SOURCE_DATE_EPOCH" \
      "${arguments[@]}" --build-arg "BASE=$base" --target "$1" --tag "curlew-$1:$version" --iidfile "$2" "${@:3}" .
  }
  save() { "${buildah[@]}" push --quiet "curlew-$1:$version" "docker-archive:$2:curlew-$1:$version"; }
fi

for image in "${images[@]}"; do
  say "building curlew-$image:$version with $builder${prebuilt:+ from $prebuilt} over $base"
  build "$image" "$out/$image.id" >"$out/$image.log" 2>&1 || {
    tail -n 30 "$out/$image.log" >&2
    fail "curlew-$image was not built; all that was printed is in $out/$image.log" "see there"
  }
  rm -f "$out/curlew-$image.tar"
  save "$image" "$out/curlew-$image.tar"
  say "curlew-$image:$version is $(cut -c 1-19 "$out/$image.id"), in $out/curlew-$image.tar ($(du -m "$out/curlew-$image.tar" | cut -f 1) MB)"
done
((check)) || exit 0

for image in "${images[@]}"; do
  say "building curlew-$image once more, with nothing of the first time"
  build "$image" "$out/$image.again" --no-cache >"$out/$image.again.log" 2>&1 ||
    fail "curlew-$image was not built again; all that was printed is in $out/$image.again.log" "see there"
  cmp --quiet "$out/$image.id" "$out/$image.again" ||
    fail "curlew-$image is another the second time: $(cat "$out/$image.id") and $(cat "$out/$image.again")" \
      "if Debian has published packages in between, again; else something in the build has a time or an order of its own"
done
say "the same images both times"
/usr/bin/python3 -B tests/images/test_images.py --archives "$out" "${images[@]}"
