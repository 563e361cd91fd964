# The short forms. `make train` and `make test` each do all the set-up they need; the second call does none.

SHELL := /bin/sh
.DEFAULT_GOAL := help
ENV ?= local
ARGS ?=

# Ansible refuses to start without a UTF-8 locale.
ifneq ($(filter C POSIX,$(LC_ALL)),)
export LC_ALL := C.UTF-8
endif
# Named, because Ansible ignores the file of a folder that others may write to.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/.venv/bin:$(PATH)

PLAY = .venv/bin/ansible-playbook -i inventories/$(ENV)

# For what only shows: a reader who has seen enough (`make runs | head`) is no failure.
QUIETLY = || { code=$$?; [ $$code -eq 141 ] || exit $$code; }

# Up to the start of the instance in one call, so that Ansible starts once.
START_PLAYBOOKS = provision_infrastructure publish_runtime publish_dataset launch_training
# After it each by itself: what one of them finds wrong does not stop the others. The results first.
END_PLAYBOOKS = monitor_training fetch_run verify_cleanup

.PHONY: help setup train volatility volatility-local test test-all test-quick test-training test-protocol test-services test-volatility test-boot test-qemu bench bench-control bench-training bench-gpu bench-gpu-prepare bench-families bench-panels bench-volatility bench-services lint doctor provision teardown runtime dataset model launch monitor kill verify fetch runs audit show-lock volatility-provision volatility-images volatility-deploy volatility-run volatility-check volatility-load volatility-promote volatility-rollback volatility-teardown docs reference local-down lock clean

##@ Begin
help: ## Show this
	@echo "make TARGET [ENV=local|dev|stage|prod] [ARGS='-e name=value --check --diff']"
	@sed -n -e 's/^##@ \(.*\)/@\1/p' -e 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
	awk -F'|' '/^@/ {printf "\n%s\n", substr($$0, 2); next} {printf "  %-17s %s\n", $$1, $$2}'
	@printf '\n%s\n' "What can be set: make launch ARGS='-e help=true', and so for every playbook. Start with docs/quickstart.md."

setup: ## Make .venv with the locked packages; nothing to do the second time (PYTHON=python3.12 chooses one)
	@PYTHON='$(PYTHON)' sh tools/setup.sh

train: setup ## One run from nothing to report: provision, publish, launch, monitor, fetch, verify
	@$(PLAY) $(START_PLAYBOOKS:%=playbooks/%.yml) $(ARGS)
	@failed=0; for playbook in $(END_PLAYBOOKS); do \
	$(PLAY) playbooks/$$playbook.yml $(ARGS); code=$$?; [ $$failed -ne 0 ] || failed=$$code; done; exit $$failed

volatility: setup ## The daily volatility forecast: its report from bundled prices, then its service and an answer of /predict
	@sh tools/volatility.sh $(ARGS)
	@$(if $(ARGS),:,sh tools/volatility_local.sh)

volatility-local: setup ## The second part of it: the service on the embedded AWS, until its API has answered
	@sh tools/volatility_local.sh $(ARGS)

##@ Test
test: setup ## Lint, then the tests of every kind (unit, integration, training, molecule, end to end)
	@sh tools/run_tests.sh

test-all: setup ## The same with the long tests, before a release: what is seldom broken and takes minutes to show
	@sh tools/run_tests.sh --all

test-quick: setup ## For the habit, in under two minutes: lint and unit tests side by side
	@sh tools/test_quick.sh

test-training: setup ## All of the training package's own tests, in the two environments that instances run
	@sh tools/run_tests.sh --all training autogluon

test-protocol: setup ## All of the protocol's proofs: explorer, state machine, crashes, faults, races
	@.venv/bin/python -m pytest -q -n 2 --dist loadfile tests/protocol $(ARGS)
	@.venv/bin/python -m pytest -q -m protocol tests/unit tests/integration tests/e2e

test-services: setup ## All tests of the embedded AWS's services: containers, functions, chains, schedules, alarms
	@.venv/bin/python -m pytest -q -n 2 --dist loadfile tests/services --ignore tests/services/volatility $(ARGS)

test-volatility: setup ## The volatility service on the embedded AWS: images, thirty sessions, API under load, alarms, the workflow
	@.venv/bin/python -m pytest -q -n 2 --dist loadfile tests/services/volatility $(ARGS)

test-boot: setup ## Boots with the real systemd, and what each fault of a machine ends in; needs root and Debian packages
	@sh tools/boot_packages.sh
	@.venv/bin/python -m pytest -q -n 2 -m boot tests/integration/local_aws tests/boot $(ARGS)

test-qemu: setup ## A whole run in a virtual machine, emulated and therefore slow; needs Debian packages
	@sh tools/boot_packages.sh qemu
	@.venv/bin/python -m pytest -q -m qemu tests/boot $(ARGS)

bench: setup ## How fast an instance starts, as ratios: restore, data sync, boot (ARGS='data --write')
	@.venv/bin/python -m tests.bench $(ARGS)

bench-control: setup ## How fast the commands are, as ratios: against plain boto3 and stock modules (ARGS=--write)
	@.venv/bin/python -m tests.bench.control $(ARGS)

bench-training: setup ## How fast training is, as ratios: against upstream's ways and against its own limit (ARGS=--write)
	@env=$$(.venv/bin/python -m chronos_training.control.publish.build_runtime) && \
	PYTHONPATH="$$PWD/training/src" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 $$env -m tests.bench.training $(ARGS)

bench-gpu-prepare: setup ## Put together what bench-gpu needs, for a machine with a GPU and no network (ARGS='--python 3.13')
	@.venv/bin/python -m tests.bench.gpu.prepare $(ARGS)

bench-gpu: ## On a machine with a GPU and torch: speed, precision, exact resume, in eight minutes (ARGS=--write)
	@[ -f .cache/bench-gpu/run.sh ] || { echo 'bench-gpu: run make bench-gpu-prepare first (it needs a network, no GPU)' >&2; exit 2; }
	@CHRONOS_BENCH_SOURCE="$$PWD" PYTHON='$(PYTHON)' sh .cache/bench-gpu/run.sh $(ARGS)

bench-families: setup ## How good the families get on three real panels, from random weights (ARGS=--write)
	@env=$$(.venv/bin/python -m chronos_training.control.publish.build_runtime) && \
	PYTHONPATH="$$PWD/training/src" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 $$env -m tests.bench.families $(ARGS)

bench-panels: setup ## How good untouched defaults get on twenty-four real panels, three seeds each (ARGS=--write)
	@env=$$(.venv/bin/python -m chronos_training.control.publish.build_runtime) && \
	PYTHONPATH="$$PWD/training/src" OMP_WAIT_POLICY=PASSIVE HF_HUB_OFFLINE=1 $$env -m tests.bench.panels $(ARGS)

bench-volatility: setup ## How fast the volatility steps are, as ratios: a day, a week, a forecast, memory (ARGS=--write)
	@python=$$(.venv/bin/python tools/volatility_env.py) && $$python -m tests.bench.volatility $(ARGS)

bench-services: setup ## How fast the embedded AWS's API is, and what the volatility images cost (ARGS=images)
	@.venv/bin/python -m tests.bench.services $(ARGS)

lint: setup ## ansible-lint, yamllint, ruff, mypy, shellcheck; actionlint, zizmor, hadolint where they can be installed
	@sh tools/lint.sh

##@ An environment of AWS (ENV=local is embedded and starts on demand)
doctor: setup ## Find out what would stop a launch, for free; PROBE=yes tries an instance, for minutes and cents
	@$(PLAY) playbooks/check_account.yml $(if $(filter yes,$(PROBE)),playbooks/probe_instance.yml) $(ARGS)

provision: setup ## Create or update network, bucket and identity of ENV
	@$(PLAY) playbooks/provision_infrastructure.yml $(ARGS)

runtime: setup ## Publish the Python environment that instances run
	@$(PLAY) playbooks/publish_runtime.yml $(ARGS)

dataset: setup ## Publish a dataset
	@$(PLAY) playbooks/publish_dataset.yml $(ARGS)

model: setup ## Publish pretrained weights to start from
	@$(PLAY) playbooks/publish_model.yml $(ARGS)

teardown: setup ## Remove what provision made; the bucket and its data stay
	@$(PLAY) playbooks/teardown_infrastructure.yml $(ARGS)

##@ Runs
launch: setup ## Start a run
	@$(PLAY) playbooks/launch_training.yml $(ARGS)

monitor: setup ## Follow the current run
	@$(PLAY) playbooks/monitor_training.yml $(ARGS) $(QUIETLY)

kill: setup ## End the current run, keeping its partial results
	@$(PLAY) playbooks/kill_training.yml $(ARGS)

verify: setup ## Show that nothing of a run is left
	@$(PLAY) playbooks/verify_cleanup.yml $(ARGS)

fetch: setup ## Bring the newest run's results to results/, verified
	@$(PLAY) playbooks/fetch_run.yml $(ARGS)

runs: setup ## List the runs
	@$(PLAY) playbooks/list_runs.yml $(ARGS) $(QUIETLY)

audit: setup ## List who launched, killed, reconciled, fixed and published
	@$(PLAY) playbooks/list_audit.yml $(ARGS) $(QUIETLY)

show-lock: setup ## Show which run holds the lock; ARGS='-e training_lock_break=true' releases that of a dead one
	@$(PLAY) playbooks/show_lock.yml $(ARGS) $(QUIETLY)

##@ The daily volatility forecast on AWS
volatility-provision: setup ## Create or update its key, bucket, secrets and roles in ENV
	@$(PLAY) playbooks/provision_volatility.yml $(ARGS)

volatility-images: setup ## Build its two images and push them
	@$(PLAY) playbooks/publish_images.yml $(ARGS)

volatility-deploy: setup ## Deploy the images that were pushed last
	@$(PLAY) playbooks/deploy_volatility.yml $(ARGS)

volatility-run: setup ## Run the daily chain or one of its steps (ARGS='-e volatility_run_date=2018-12-07')
	@$(PLAY) playbooks/run_volatility.yml $(ARGS)

volatility-check: setup ## Ask each path of the deployed API
	@$(PLAY) playbooks/check_volatility.yml $(ARGS)

volatility-load: setup ## Send the deployed API a load; prints p50, p95 and errors
	@$(PLAY) playbooks/load_test_volatility.yml $(ARGS)

volatility-promote: setup ## Let a version of the model serve (ARGS='-e volatility_promote_version=VERSION')
	@$(PLAY) playbooks/promote_model.yml $(ARGS)

volatility-rollback: setup ## Let the model before serve again
	@$(PLAY) playbooks/rollback_model.yml $(ARGS)

volatility-teardown: setup ## Remove what was made; the bucket and its data stay
	@$(PLAY) playbooks/teardown_volatility.yml $(ARGS)

##@ The repository
docs: setup ## The documentation as a site: site/index.html
	@sh tools/docs.sh

reference: setup ## Regenerate docs/reference from the roles' and modules' own documentation
	@.venv/bin/python tools/reference.py

local-down: ## Stop the embedded AWS of the local inventory, and forget its account
	@sh tools/local_down.sh

lock: setup ## Resolve both pyproject.toml files again into their poetry.lock
	@sh tools/lock.sh

clean: local-down ## Remove everything that make made, results excepted
	rm -rf .venv .cache .local_aws .pytest_cache .mypy_cache .ruff_cache .hypothesis .ansible
