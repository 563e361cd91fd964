#!/bin/sh
# The tests, section by section; all sections run even when one fails. Without names, two rows of sections run side by side:
# one computes, the other mostly waits for machines that boot and end, and whichever is done first takes of the other's.
# Names choose sections, one after the other, and --all takes those marked `long` along:
#   sh tools/run_tests.sh unit integration
#   sh tools/run_tests.sh --all training
set -u
cd "${0%/*}/.." || exit
PATH="$PWD/.venv/bin:$PATH"
export PATH
# A `make` that a test runs is a person's own, not a part of `make test`: it would say which folder it enters.
unset MAKEFLAGS MFLAGS MAKELEVEL
reports=.cache/test-reports
rm -rf "$reports"
mkdir -p "$reports"

# Instances unpack gigabytes that are deleted again. In memory, where there is enough of it and programs may run there, that
# takes a third less of the processors (test_life: 192 CPU seconds instead of 298).
in_memory() {
    free=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
    available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null)
    [ "${free:-0}" -gt 12582912 ] && [ "${available:-0}" -gt 16777216 ] || return 1
    scratch=$(mktemp -d /dev/shm/ct.XXXXXX) && cp /bin/true "$scratch/" && "$scratch/true" && return
    rm -rf "$scratch"
    return 1
}
in_memory || scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
export PYTEST_DEBUG_TEMPROOT="$scratch"

# pytest with a report that the closing line is counted from. Exit code 5 means "no tests there".
run_pytest() {
    name=$1
    shift
    "$@" "--junit-xml=$reports/$name.xml" || [ $? -eq 5 ] || echo "$name" >>"$reports/broken"
}

# Runners that count nothing themselves count as one test.
run_other() {
    name=$1
    shift
    if "$@"; then echo passed >"$reports/$name.one"; else
        echo failed >"$reports/$name.one"
        echo "$name" >>"$reports/broken"
    fi
}

# In the environment of this kind that instances run.
run_training() {
    name=$1 kind=$2
    shift 2
    # shellcheck disable=SC2086 # no kind is no word
    if tools=$(python tools/group_packages.py test) && env=$(python -m chronos_training.control.publish.build_runtime $kind); then
        run_pytest "$name" env PYTHONPATH="$PWD/training/src:$tools" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 \
            "$env" -m pytest -q -m "$chosen" -n 2 --dist loadfile "$@"
    else
        run_other "$name" false
    fi
}

run_section() {
    begun=$(date +%s)
    case $1 in
        lint)
            printf '\n==== %s\n' 'Lint'
            run_other lint sh tools/lint.sh
            ;;
        docs)
            printf '\n==== %s\n' 'Documentation as a site'
            run_other docs sh tools/docs.sh
            ;;
        unit)
            printf '\n==== Tests: unit\n'
            run_pytest unit python -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/unit
            ;;
        integration)
            printf '\n==== Tests: integration\n'
            # Four on two cores: half of the time they wait for machines that boot and end (634 s by two, 441 s by four).
            run_pytest integration python -m pytest -q -m "$chosen" -n 4 --dist loadfile tests/integration
            ;;
        protocol)
            printf '\n==== Tests: protocol, the quick selection (make test-protocol runs all)\n'
            run_pytest protocol python -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/protocol
            ;;
        boot)
            printf '\n==== Tests: boot, at level namespace (make test-boot: nspawn, and its faults)\n'
            run_pytest boot python -m pytest -q -m "$chosen" tests/boot
            ;;
        training)
            printf '\n==== Tests: training, in the environment that instances run\n'
            run_training training '' --ignore-glob '*/test_autogluon*' tests/training
            ;;
        autogluon)
            printf '\n==== Tests: training by AutoGluon, in the environment of its own\n'
            run_training autogluon autogluon tests/training/test_autogluon*.py
            ;;
        volatility)
            printf '\n==== Tests: volatility, in the environment of its own\n'
            if tools=$(python tools/group_packages.py test) && env=$(python tools/volatility_env.py batch api); then
                run_pytest volatility env PYTHONPATH="$tools" "$env" -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/volatility
            else
                run_other volatility false
            fi
            ;;
        services)
            printf '\n==== Tests: services of the embedded AWS, the quick selection (make test-services runs all)\n'
            run_pytest services python -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/services
            ;;
        molecule)
            printf '\n==== Roles: molecule\n'
            for scenario in tests/molecule/*/molecule.yml; do
                scenario=${scenario%/molecule.yml}
                run_other "molecule-${scenario##*/}" sh tests/molecule/run.sh test -s "${scenario##*/}"
            done
            ;;
        e2e)
            printf '\n==== Tests: end to end, through the playbooks\n'
            run_pytest e2e python -m pytest -q -m "$chosen" -n 3 --dist loadfile tests/e2e
            ;;
        *)
            echo "run_tests: no section $1 (lint docs unit protocol integration boot services training autogluon volatility molecule e2e)" >&2
            exit 2
            ;;
    esac
    printf '%s %s\n' "$1" $(($(date +%s) - begun)) >>"$reports/seconds"
}

# One section after the other, of those that no row has taken; what each says is printed at its end, so that rows do not mix.
row() {
    for section in "$@"; do
        mkdir "$reports/$section.taken" 2>/dev/null || continue
        run_section "$section" >"$reports/$section.log" 2>&1
        cat "$reports/$section.log"
    done
}

chosen='not boot and not qemu and not protocol and not services and not long'
if [ "${1:-}" = --all ]; then
    chosen='not boot and not qemu and not protocol and not services'
    shift
fi
if [ $# -gt 0 ]; then
    for section in "$@"; do run_section "$section"; done
else
    echo 'Two rows of sections side by side; what each section says comes at its end.'
    row autogluon training molecule volatility unit lint docs protocol services boot integration e2e &
    computing=$!
    trap 'kill "$computing" 2>/dev/null; exit 130' INT TERM
    row e2e integration boot services protocol docs lint unit volatility molecule training autogluon
    wait "$computing"
fi

if [ -e "$reports/broken" ]; then printf '\nnot passed: %s\n' "$(tr '\n' ' ' <"$reports/broken")"; fi
python tools/test_summary.py "$reports" && [ ! -e "$reports/broken" ]
