#!/bin/sh
# Resolves both pyproject.toml files anew. Poetry lives in .cache/poetry and nowhere else.
# Where only a package index without the JSON interface answers, set POETRY_PYPI_MIRROR_URL to it: the lock files name
# no host either way.
set -eu
cd "${0%/*}/.."
home="$PWD/.cache/poetry"
if [ ! -x "$home/bin/poetry" ]; then
    .venv/bin/python -m venv "$home"
    PIP_CACHE_DIR="$PWD/.cache/pip" "$home/bin/pip" install --quiet --disable-pip-version-check \
        'poetry>=2.2,<3' poetry-plugin-pypi-mirror
fi
export POETRY_CACHE_DIR="$PWD/.cache/poetry-cache" POETRY_VIRTUALENVS_CREATE=false
for folder in . training; do
    echo "lock: $folder/pyproject.toml"
    (cd "$folder" && "$home/bin/poetry" lock --no-interaction --quiet)
    if grep -nE '^(url|type) = ' "$folder/poetry.lock" >&2; then
        echo "lock: $folder/poetry.lock names a package source of this machine, see above." >&2
        exit 1
    fi
done
