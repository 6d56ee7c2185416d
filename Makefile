# Headrace. `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
TOOLS := .tools
SAM := MAKEFLAGS= SAM_CLI_TELEMETRY=0 $(TOOLS)/sam/bin/sam
# For which Python and machine `make build` and `sam build` build: as template.yaml says, 3.13-x86_64, or `here`.
TARGET ?= 3.13-arm64
export TARGET
# As pip does: trust the certificates that the machine trusts, also behind a company proxy.
export UV_SYSTEM_CERTS ?= 1
# Some images set this; then each of some hundred processes would compile everything that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The page, built of ui/; it needs its packages once.
UI := ui/.built

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check checks format lint types contracts template audit fuzz build build-here acceptance runtime-interface sam-local ui-tests clients examples bench reliability mutants soak docs lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.done $(TOOLS)/ministack/.done $(UI) ## prepare .venv (with .venv/bin/headrace), the embedded database and the page

demo: setup ## run some hundred real jobs on the local stack, and show how each of them ended
	$(BIN)/headrace demo

dev: setup ## run the local stack until Ctrl-C; what changes in ui/ is built, and open pages load it
	@$(BIN)/python -m scripts.dev

# Those of domain/, apart from the others: measuring coverage doubles what a test computes.
DOMAIN_TESTS := tests/unit/jobs tests/unit/lanes tests/unit/schedules tests/unit/users tests/unit/files tests/unit/webhooks tests/unit/durable tests/unit/children tests/unit/secrets tests/unit/quotas tests/unit/stats tests/unit/costs tests/unit/test_flaws.py

test: setup $(TOOLS)/microburst/.done $(TOOLS)/durable-sdk/.done ## run the tests, those of domain/ with branch coverage (100 %)
	$(BIN)/pytest $(DOMAIN_TESTS) --numprocesses 2 --dist loadfile --cov=domain --cov-fail-under=100
	$(BIN)/pytest $(DOMAIN_TESTS:%=--ignore=%) --ignore=tests/page --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: test ## all that CI runs: the tests, then everything else, three at a time
	$(MAKE) --jobs=3 --output-sync=target checks

# The longest first; they wait as much as they compute.
checks: sam-local ui-tests acceptance fuzz examples clients runtime-interface template types audit lint format contracts

format: setup ## check the formatting
	$(BIN)/ruff format --check .

lint: setup ## lint
	$(BIN)/ruff check .

types: setup ## check the types
	$(BIN)/mypy

contracts: setup ## check which package imports which, and that jobs in flight survive changes of the job types
	$(BIN)/lint-imports
	$(BIN)/headrace check --locked

template: $(TOOLS)/cfn-lint/.done $(TOOLS)/sam/.done $(TOOLS)/checkov/.done ## check template.yaml with cfn-lint, the SAM CLI and checkov
	$(TOOLS)/cfn-lint/bin/cfn-lint --config-file .cfnlint.yaml
	AWS_DEFAULT_REGION=eu-central-1 $(SAM) validate --lint --template template.yaml
	$(TOOLS)/checkov/bin/checkov --config-file .checkov.yaml

audit: setup $(TOOLS)/audit/.done ## look for known vulnerabilities (pip-audit) and for insecure code (bandit)
	$(TOOLS)/audit/bin/bandit --quiet --severity-level medium --recursive domain functions headrace job_types persistence clients/python/src
	$(BIN)/python -m scripts.audit

fuzz: setup $(TOOLS)/schemathesis/.done ## two thousand calls made from the OpenAPI document, as a member and as an admin
	$(BIN)/python -m scripts.fuzz

build: setup $(TOOLS)/sam/.done ## build and prove what is deployed (TARGET=3.13-arm64), and print its sizes
	$(SAM) build
	$(BIN)/python -m headrace.build.sizes .aws-sam/build

# What `sam build` calls for each function.
build-%Function: $(VENV)/.done $(UI)
	$(BIN)/python -m headrace.build $*Function "$(ARTIFACTS_DIR)"

# After `build`, because all builds of the SAM CLI share one file.
build-here: build
	TARGET=here $(SAM) build --build-dir .aws-sam/here

acceptance: build-here ## deploy artifacts and template to MiniStack, use them over HTTP; writes acceptance-report.md
	$(BIN)/python -m tests.acceptance

runtime-interface: build-here ## run the artifacts under AWS's own Lambda runtime: warm, killed, timed out
	$(BIN)/python -m tests.acceptance.runtime_interface

sam-local: build-here ## run every function by the SAM CLI, in Docker (or in a stand-in for it)
	$(BIN)/python -m scripts.sam_local

clients: setup ## test the clients, and the applications that use them, as a user would: installed, against the local stack
	$(BIN)/python -m scripts.clients

ui-tests: setup ## test the page in Debian's Chromium, against the local stack (installs Chromium as root)
	$(BIN)/python -m scripts.ui test
	$(BIN)/python -m scripts.ui_tests

examples: setup ## test the projects in examples/ as a user would, against an installed Headrace
	$(BIN)/python -m scripts.examples

bench: setup ## measure, beside the baselines (20 minutes); writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

reliability: setup $(TOOLS)/microburst/.done ## model, seeds, real faults, poison, webhooks (half an hour), and the mutants; writes docs/reliability.md
	$(BIN)/python -m tests.reliability
	$(MAKE) mutants

mutants: setup ## each guard and condition broken: a test must notice (half an hour); writes docs/mutants.md
	$(BIN)/python -m scripts.mutate

soak: setup $(TOOLS)/microburst/.done ## an hour of mixed work with a fault a minute; writes docs/soak.md
	$(BIN)/python -m tests.reliability.soak

docs: setup ## write what is generated anew (pictures of the page and of the terminal, docs/openapi.json, docs/lifecycle.md, events/samples, the synchronous client)
	$(BIN)/python -m scripts.generate
	$(BIN)/python -m tests.page.images
	$(BIN)/python -m scripts.terminal_pictures

lock: setup ## lock the requirements; what is locked stays (UPGRADE=1 takes the newest of everything)
	scripts/lock.sh

clean: ## remove everything that was installed or generated
	rm -rf ui/node_modules ui/.built functions/api/ui/built $(VENV) $(TOOLS) clients/python/build .headrace .aws-sam .mypy_cache .pytest_cache .ruff_cache .coverage

$(VENV)/bin/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit("Headrace needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.done: $(VENV)/bin/uv requirements/dev.txt pyproject.toml clients/python/pyproject.toml
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable clients/python --editable .
	@touch $@

$(UI): $(VENV)/.done $(TOOLS)/node/.done docs/openapi.json $(wildcard ui/*.* ui/scripts/* ui/src/*.* ui/src/*/*)
	@$(BIN)/python -m scripts.ui build

$(TOOLS)/%/.done: requirements/%.txt $(VENV)/bin/uv
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(TOOLS)/$*
	$(UV) pip sync --quiet --python $(TOOLS)/$*/bin/python --require-hashes requirements/$*.txt
	@touch $@
