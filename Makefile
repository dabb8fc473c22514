# make X = inv X, in an environment that is made when it is missing. No logic of the workflow is here.
# Options go through ARGS:  make create ARGS=--yes    make data ARGS="--from ../fruits-360"

VENV := .venv
INV := $(VENV)/bin/inv
TASKS := verify upload data create monitor submit watch-step fetch logs terminate cleanup pipeline \
	status local.up local.down local.status
UV := $(shell command -v uv)
PYTHONS := python3.12 python3.11 python3.10 python3 python
SUITABLE := import sys$(if $(UV),,, ensurepip); sys.exit(not (3, 10) <= sys.version_info < (3, 13))

.DEFAULT_GOAL := help
.PHONY: help venv test test-faults lint bench $(TASKS)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

verify: ## Check region, credentials, bucket, images, key pair and roles
upload: ## Upload the job and the bootstrap script, where they changed
data: ## Upload images: a Training/Test folder, or a synthetic sample
create: ## Create the cluster, after showing it and asking
monitor: ## Watch the cluster until it is ready for steps
submit: ## Run the job as it is now, as a step of the cluster
watch-step: ## Watch the step until it ends; its failure is this command's
fetch: ## Fetch the newest results to results/ and say what is in them
logs: ## Why the step failed: its cause, your line of code, what to do
terminate: ## Terminate the cluster and wait until it is gone
cleanup: ## Clean up: cluster, output, EMR logs, tracking files, each asked
pipeline: ## Run everything: verify to fetch, then terminate, whatever happens
status: ## Show every live cluster of ours: state, age, idle time, whose
local.up: ## Start local EMR (tasks do it by themselves)
local.down: ## Stop local EMR; its state stays in .local_emr/
local.status: ## Show local EMR: where it answers, what lives there

$(TASKS): venv
	@$(INV) $@ $(ARGS)

test: venv ## Run the tests, with real Spark on local EMR
	@$(VENV)/bin/python -m pytest $(ARGS)

test-faults: venv ## Make everything go wrong for a pipeline, cell by cell
	@$(VENV)/bin/python -m tests.faults $(ARGS)

lint: venv ## Check style and types
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

bench: venv ## Measure what benchmarks/ measures
	@$(VENV)/bin/python -m benchmarks $(ARGS)

venv: $(VENV)/.complete ## Make the environment, where it is missing or older than the requirements

# .complete comes last: an installation that was cut off is not taken for an environment.
# uv may fetch a Python where the machine has none that fits.
$(VENV)/.complete: requirements.txt
	@python=$(if $(UV),3.12); \
	for name in $(PYTHONS); do if $$name -c '$(SUITABLE)' 2>/dev/null; then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then \
		echo "Making $(VENV): no Python 3.10, 3.11 or 3.12 with venv was found." \
			"Install one (on Debian and Ubuntu also: apt install python3-venv), or uv." >&2; exit 1; fi; \
	echo "Making $(VENV) with $$python, once: a minute or a few, mostly for Spark" >&2; \
	if [ -n "$(UV)" ]; then \
		uv venv -q --clear --python "$$python" $(VENV) && \
		uv pip install -q --python $(VENV)/bin/python --require-hashes -r requirements.txt; \
	else \
		$$python -m venv --clear $(VENV) && \
		$(VENV)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt; \
	fi || { echo "Making $(VENV): the packages could not be installed (see above)." \
		"Check the network, then run make again." >&2; exit 1; }
	@touch $@
