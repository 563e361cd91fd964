#!/bin/sh
# Every linter, all of them even when one fails; the exit code tells whether any did. Reaches no network.
set -u
cd "${0%/*}/.." || exit
PATH="$PWD/.venv/bin:$PATH"
export PATH
failed=''

check() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed $name;"
}

# The shell that runs as it is, and (tools/lint_shell.py, where it exists) the shell that templates become.
shell_files() {
    # Paths are relative, so a space in the folder's own path does no harm.
    files=$(find tools tests roles local_aws -name '*.sh' -not -path '*/.*')
    # shellcheck disable=SC2086
    shellcheck .ci/run $files || return 1
    if [ -f tools/lint_shell.py ]; then
        python tools/lint_shell.py || return 1
    fi
}

core() {
    mypy --python-version 3.10 training/src/chronos_training/core training/src/chronos_training/agent
}

check 'ruff check' ruff check --quiet .
check 'ruff format' ruff format --quiet --check .
check 'mypy' mypy training/src
check 'mypy, volatility' mypy volatility/src
check 'mypy, core and agent as Python 3.10' core
check 'yamllint' yamllint --strict .
check 'ansible-lint' ansible-lint --offline --nocolor -q
check 'shellcheck' shell_files

if [ -n "$failed" ]; then
    echo "lint: failed:$failed" | sed 's/;$//' >&2
    exit 1
fi
echo 'lint: all clean'
