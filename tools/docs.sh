#!/bin/sh
# Builds the site of docs/ in site/. A broken link, or a diagram that cannot be drawn, fails it.
set -eu
cd "${0%/*}/.."
packages=$(.venv/bin/python tools/group_packages.py docs)
NO_MKDOCS_2_WARNING=1 PYTHONPATH="$packages" .venv/bin/python -m mkdocs build --strict --quiet
echo 'written: site/index.html'
