#!/bin/sh
# The tests, section by section; all sections run even when one fails. A name or several choose sections, and --all takes
# those marked `long` along:
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
broken=''

# pytest with a report that the closing line is counted from. Exit code 5 means "no tests there".
run_pytest() {
    name=$1
    shift
    "$@" "--junit-xml=$reports/$name.xml" || [ $? -eq 5 ] || broken="$broken $name"
}

# Runners that count nothing themselves count as one test.
run_other() {
    name=$1
    shift
    if "$@"; then echo passed >"$reports/$name.one"; else
        echo failed >"$reports/$name.one"
        broken="$broken $name"
    fi
}

chosen='not boot and not qemu and not protocol and not long'
if [ "${1:-}" = --all ]; then
    chosen='not boot and not qemu and not protocol'
    shift
fi
[ $# -gt 0 ] || set -- lint docs unit protocol integration boot training autogluon molecule e2e
for section in "$@"; do
    begun=$(date +%s)
    case $section in
        lint)
            printf '\n==== %s\n' 'Lint'
            run_other lint sh tools/lint.sh
            ;;
        docs)
            printf '\n==== %s\n' 'Documentation as a site'
            run_other docs sh tools/docs.sh
            ;;
        unit)
            [ -d tests/unit ] || continue
            printf '\n==== Tests: unit\n'
            run_pytest unit python -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/unit
            ;;
        integration)
            [ -d tests/integration ] || continue
            printf '\n==== Tests: integration\n'
            # Four on two cores: half of the time they wait for machines that boot and end (634 s by two, 441 s by four).
            run_pytest integration python -m pytest -q -m "$chosen" -n 4 --dist loadfile tests/integration
            ;;
        protocol)
            [ -d tests/protocol ] || continue
            printf '\n==== Tests: protocol, the quick selection (make test-protocol runs all)\n'
            run_pytest protocol python -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/protocol
            ;;
        boot)
            [ -d tests/boot ] || continue
            printf '\n==== Tests: boot, at level namespace (make test-boot: nspawn, and its faults)\n'
            run_pytest boot python -m pytest -q -m "$chosen" tests/boot
            ;;
        training)
            [ -d tests/training ] || continue
            printf '\n==== Tests: training, in the environment that instances run\n'
            if tools=$(python tools/group_packages.py test) && env=$(python -m chronos_training.control.publish.build_runtime); then
                run_pytest training env PYTHONPATH="$PWD/training/src:$tools" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 \
                    "$env" -m pytest -q -m "$chosen" -n 2 --dist loadfile --ignore-glob '*/test_autogluon*' tests/training
            else
                run_other training false
            fi
            ;;
        autogluon)
            [ -d tests/training ] || continue
            printf '\n==== Tests: training by AutoGluon, in the environment of its own\n'
            if tools=$(python tools/group_packages.py test) && env=$(python -m chronos_training.control.publish.build_runtime autogluon); then
                run_pytest autogluon env PYTHONPATH="$PWD/training/src:$tools" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 \
                    "$env" -m pytest -q -m "$chosen" -n 2 --dist loadfile tests/training/test_autogluon*.py
            else
                run_other autogluon false
            fi
            ;;
        molecule)
            [ -d tests/molecule ] || continue
            printf '\n==== Roles: molecule\n'
            for scenario in tests/molecule/*/molecule.yml; do
                scenario=${scenario%/molecule.yml}
                run_other "molecule-${scenario##*/}" sh tests/molecule/run.sh test -s "${scenario##*/}"
            done
            ;;
        e2e)
            [ -d tests/e2e ] || continue
            printf '\n==== Tests: end to end, through the playbooks\n'
            run_pytest e2e python -m pytest -q -m "$chosen" -n 4 --dist loadfile tests/e2e
            ;;
        *)
            echo "run_tests: no section $section (lint docs unit protocol integration boot training autogluon molecule e2e)" >&2
            exit 2
            ;;
    esac
    printf '%s %s\n' "$section" $(($(date +%s) - begun)) >>"$reports/seconds"
done

[ -z "$broken" ] || printf '\nnot passed:%s\n' "$broken"
python tools/test_summary.py "$reports" && [ -z "$broken" ]
