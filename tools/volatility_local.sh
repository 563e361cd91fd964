#!/bin/sh
# The volatility stack on this machine, from nothing to an answer of its API: the embedded AWS is provisioned, images are
# published and deployed, the chain runs for a session of the bundled prices, and the API is asked for its forecast.
# Each playbook does only what is not done yet.
set -eu
cd "${0%/*}/.."
session=2018-12-07 # the last one that the profile offline has; a Friday, so the chain trains on it
begun=$(date +%s)
echo "volatility: the stack on the embedded AWS, which needs no account; the first time takes minutes"
.venv/bin/ansible-playbook -i inventories/local \
    playbooks/provision_infrastructure.yml playbooks/provision_volatility.yml playbooks/publish_images.yml \
    playbooks/deploy_volatility.yml playbooks/run_volatility.yml playbooks/check_volatility.yml \
    -e volatility_run_date=$session -e volatility_check_session=$session "$@"
echo "volatility: the API answered with the forecast of $session, $(($(date +%s) - begun)) s after this began;" \
    "make local-down ends the embedded AWS"
echo "volatility: this stack has the prices since 2010, so its forecast is not quite the report's, which has those since 1990"
