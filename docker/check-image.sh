#!/usr/bin/env bash
# Builds the image without Docker and without a registry, and runs the main job in it: on Debian, as root, after
# `apt-get install buildah mmdebstrap`. The base image is made from Debian's packages under the name that the Dockerfile
# asks for. Everything lies in one temporary folder, ten gigabytes of it, that is gone at the end.
#   docker/check-image.sh [OPTIONS OF buildah bud]    such as --build-arg TORCH_INDEX=URL, or --volume for pip's settings
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
base=$(sed -n 's/^ARG BASE=//p' "$root/docker/Dockerfile")
work=$(mktemp --directory "${TMPDIR:-/var/tmp}/superconv_tune_image.XXXXXX")
trap 'buildah rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
export BUILDAH_ISOLATION=chroot
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
say() { printf '\n== %s\n' "$*"; }

say "base image $base from Debian's packages"
mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,tzdata,python-is-python3,python3-pip \
    --customize-hook='rm "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' "${base##*-}" "$work/base.tar"
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/base.tar" / >/dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python3 "$container"
buildah commit --quiet --rm "$container" "$base" >/dev/null
rm "$work/base.tar"

say "docker/Dockerfile, unchanged"
buildah bud --format docker --pull-never --network host "$@" \
    --file "$root/docker/Dockerfile" --tag superconv-tune:check "$root"
container=$(buildah from --pull-never superconv-tune:check)

say "who runs, and whether what is installed fits together"
inside() { buildah run --env RAY_agent_register_timeout_ms=120000 "$container" -- "$@"; } # on a busy machine too
[ "$(inside id -un)" = searcher ]
inside pip check

say "the main job"
inside python -m superconv_tune.search --name digits --budget 4m
inside ls -l /studies/digits/verdict.json /studies/digits/report.html

say "a node, and the health check of the image"
words='{{range .Docker.Config.Healthcheck.Test}}{{println .}}{{end}}'
mapfile -t check < <(buildah inspect --type image --format "$words" superconv-tune:check | sed '/^$/d')
token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
buildah config --env RAY_AUTH_MODE=token --env RAY_AUTH_TOKEN="$token" "$container"
if inside "${check[@]:1}" >/dev/null 2>&1; then
    echo "The health check says yes where nothing runs, or something else listens on its port." >&2
    exit 1
fi
set -m # a group of its own, which ends as a whole: what runs in the container is no child of this shell
inside ray start --head --block --port=6379 --node-ip-address=127.0.0.1 --num-cpus=1 --disable-usage-stats \
    --include-dashboard=false >"$work/node.log" 2>&1 &
node=$!
set +m
healthy=no
for _ in $(seq 30); do
    if inside "${check[@]:1}" >/dev/null 2>&1; then healthy=yes && break; fi
    sleep 2
done
kill -- "-$node" && wait "$node" || true
[ "$healthy" = yes ] || { cat "$work/node.log" >&2 && exit 1; }

say "The image builds, is not root's, answers its health check, and searched to a verdict."
