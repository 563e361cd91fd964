#!/bin/sh
# Resolves the three pyproject.toml files again. Poetry lives in .cache/poetry and nowhere else.
# Where only a package index without the JSON interface answers, set POETRY_PYPI_MIRROR_URL to it: the lock files name
# no host either way.
set -eu
cd "${0%/*}/.."
home="$PWD/.cache/poetry"
log="$PWD/.cache/lock.log"
if [ ! -x "$home/bin/poetry" ]; then
    .venv/bin/python -m venv "$home"
    PIP_CACHE_DIR="$PWD/.cache/pip" "$home/bin/pip" install --quiet --disable-pip-version-check \
        'poetry>=2.2,<3' poetry-plugin-pypi-mirror
fi
export POETRY_CACHE_DIR="$PWD/.cache/poetry-cache" POETRY_VIRTUALENVS_CREATE=false
for folder in . training volatility; do
    echo "lock: $folder/pyproject.toml"
    (cd "$folder" && "$home/bin/poetry" lock --no-interaction) >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        echo "lock: stopped; where only a plain package index answers, set POETRY_PYPI_MIRROR_URL to it." >&2
        exit 1
    }
    if grep -n '^\[package.source\]' "$folder/poetry.lock" >&2; then
        echo "lock: $folder/poetry.lock names a package source of this machine, see above." >&2
        exit 1
    fi
done
