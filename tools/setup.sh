#!/bin/sh
# Makes .venv with everything the person's machine needs, or does nothing when it is already right.
#   PYTHON=/path/to/python3.12 tools/setup.sh    takes that interpreter instead of the first that serves
set -eu
cd "${0%/*}/.."

# The second call: one start of the interpreter, without site-packages, to compare the stamp.
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ] && .venv/bin/python -I -S tools/setup.py --check; then
    exit 0
fi

fail() {
    echo "Set-up stopped: $*" >&2
    exit 1
}

version_of() {
    # A shim of a version manager may exist and still refuse to start: that is "not there".
    "$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

has_venv() {
    "$1" -I -c 'import venv, ensurepip' 2>/dev/null
}

supported() {
    case "$1" in 3.11 | 3.12 | 3.13) return 0 ;; *) return 1 ;; esac
}

if [ -n "${PYTHON:-}" ]; then
    version=$(version_of "$PYTHON") || fail "PYTHON=$PYTHON does not start as a Python interpreter."
    supported "$version" || fail "PYTHON=$PYTHON is Python $version, and Python 3.11, 3.12 or 3.13 is needed."
    chosen=$PYTHON
else
    chosen='' unusable='' found=''
    for candidate in python3.11 python3.12 python3.13 python3; do
        version=$(version_of "$candidate") || continue
        if ! supported "$version"; then
            found=" ($candidate is $version)"
        elif has_venv "$candidate"; then
            chosen=$candidate
            break
        else
            unusable=${unusable:-$version}
        fi
    done
fi
if [ -z "$chosen" ] && [ -z "$unusable" ]; then
    fail "Python 3.11, 3.12 or 3.13 is needed and none was found$found: install one (Debian, Ubuntu: apt-get install" \
        "python3 python3-venv; macOS: brew install python@3.11) or name it with PYTHON=/path/to/python3.11."
fi
if [ -z "$chosen" ] || ! has_venv "$chosen"; then
    version=${unusable:-$version}
    fail "Python $version is here without its venv module: install it (Debian, Ubuntu: apt-get install" \
        "python$version-venv)."
fi

mkdir -p .cache || fail "this folder cannot be written to."
# An activated environment, perhaps the very one that is about to be replaced, is only a pointer to the real one.
chosen=$("$chosen" -I -c 'import sys; print(getattr(sys, "_base_executable", "") or sys.executable)')
exec "$chosen" -I tools/setup.py
