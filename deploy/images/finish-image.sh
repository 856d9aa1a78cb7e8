#!/bin/sh
# Compiles everything below <root>, makes it readable for any user, and checks that it is whole.
# usage: finish-image.sh <image> <root>
set -eu
image=$1
root=$2
here=$(dirname "$0")

cp "$here/healthcheck.py" "$root/healthcheck.py"
find "$root/app" -name __pycache__ -prune -exec rm -r {} +
# By the content's hash, not its time: the same lock gives the same files.
compile="python -m compileall -q -j 0 --invalidation-mode unchecked-hash"
PATH="$root/venv/bin:$PATH" $compile "$root/app"
# Some packages carry templates that are no Python; pip ignores them too.
PATH="$root/venv/bin:$PATH" $compile "$root/venv/lib" >/dev/null || true
chmod -R a+rX "$root"
PYTHONPATH="$root/app" PYTHONDONTWRITEBYTECODE=1 "$root/venv/bin/python" "$here/check-image.py" "$image"
