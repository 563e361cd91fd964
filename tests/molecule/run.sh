#!/bin/sh
# Runs molecule with this repository's scenarios from anywhere:
#   sh tests/molecule/run.sh test --all
#   sh tests/molecule/run.sh test -s training_network
set -eu
cd "$(dirname "$0")/../.."
MOLECULE_GLOB='tests/molecule/*/molecule.yml'
export MOLECULE_GLOB
exec molecule --base-config tests/molecule/config.yml "$@"
