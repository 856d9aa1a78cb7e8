#!/bin/sh
# Builds the browser app, compressed and with its budget kept, into <root>/web.
# usage: build-browser-app.sh <image> <root>
set -eu
root=$2

PATH="$root/venv/bin:$PATH" npm --prefix web --loglevel=error run build
cp -r web/build "$root/web"
