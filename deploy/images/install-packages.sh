#!/bin/sh
# Installs what one image needs, from its lock alone, into <root>/venv.
# usage: install-packages.sh <image> <root>
set -eu
image=$1
environment=$2/venv
requirements=$(dirname "$0")/../../requirements

pip() {
    python -m pip --disable-pip-version-check --no-input --python "$environment/bin/python" "$@"
}

install() {
    pip install --quiet --require-hashes --no-deps --no-build-isolation --no-compile "$@"
}

python -m venv --without-pip "$environment"
# Two packages come as source, pure Python both: setuptools builds them, and goes again.
install -r "$requirements/build.lock"
install -r "$requirements/$image.lock"
pip check
pip uninstall --quiet --yes setuptools
