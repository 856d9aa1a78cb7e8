#!/bin/sh
# Builds all images: findme/<target>:<version of the project>.
# usage: build.sh [target ...]; PYTHON_IMAGE names another base, PLATFORM another processor
set -eu
cd "$(dirname "$0")/../.."

if ! command -v docker >/dev/null; then
    echo "make images needs Docker: install its engine first (https://docs.docker.com/engine/install/)." >&2
    exit 1
fi
if ! docker info >/dev/null 2>&1; then
    echo "make images needs a running Docker engine that you may use; 'docker info' says why there is none." >&2
    exit 1
fi
if ! docker buildx version >/dev/null 2>&1; then
    echo "make images needs Docker's buildx plugin (Debian: docker-buildx-plugin)." >&2
    exit 1
fi

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ $# -gt 0 ] || set -- ingest recognition gallery media tools
for target in "$@"; do
    echo "Building findme/$target:$version ..."
    docker buildx build --load --target "$target" --tag "findme/$target:$version" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        ${PYTHON_IMAGE:+--build-arg PYTHON_IMAGE="$PYTHON_IMAGE"} \
        ${PLATFORM:+--platform "$PLATFORM"} .
done
