#!/bin/sh
# Pins the images of others in docker-compose.yml by digest: writes what their tags name now into
# .env, unless it is pinned there already. To renew one, remove its line and run this again.
# usage: pin-images.sh [file]
set -eu
here=$(dirname "$0")
file=${1:-$here/../../.env}
touch "$file"
sed -n 's/^ *image: \${\([A-Z]*_IMAGE\):-\(.*\)}$/\1 \2/p' "$here/../../docker-compose.yml" |
    while read -r name image; do
        grep -q "^$name=" "$file" && continue
        digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
        echo "$name=$image@$digest" >>"$file"
        echo "pinned $image to $digest"
    done
