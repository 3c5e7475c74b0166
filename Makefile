# Every target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-long sim fuzz lint format docs bench build lock clean
MAKEFLAGS += --no-builtin-rules

PY       := .venv/bin/python
# Tests of the local cloud wait for most of their time: more workers than processors. Who has nothing to do takes from others.
JOBS     ?= $(shell expr $$(nproc) \* 2)
PYTEST   := $(PY) -m pytest -p no:cacheprovider -n $(JOBS) --dist worksteal --durations 12 --durations-min 8
CODE     := layers cli local functions tests examples bench scripts
# Functions hold one app.py each: they are typed as functions.<name>.app.
TYPED    := layers/core/tidegate layers/runner/tidegate_runner cli/tidegate_cli local/tidegate_local functions scripts bench
SAM      := SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venv/bin/sam

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: .venv/.stamp .venv-sam/.stamp ## Make .venv with python, tidegate, aws and sam
	@echo "setup: .venv is ready"

demo: .venv/.stamp ## Deploy two revisions to six local hosts, watch the second one roll back
	@$(PY) -m tidegate_cli.demo

test: .venv/.stamp ## Run the tests and the examples in the code, but for the slow ones
	@$(PYTEST) -m "not long" --doctest-modules --ignore-glob '*/stack/functions/*' \
	  tests layers/core/tidegate cli/tidegate_cli local/tidegate_local

test-long: .venv/.stamp .venv-sam/.stamp ## Run the slow tests
	@$(PYTEST) -m long $$(grep -rl --include='test_*.py' 'mark\.long' tests)

sim: .venv/.stamp ## Simulate deployments in a hostile world, seed by seed (SEEDS=1000 START=0 HOSTS=20)
	@$(PY) -m tests.sim --seeds $(or $(SEEDS),1000) --start $(or $(START),0) --hosts $(or $(HOSTS),20)

fuzz: .venv/.stamp ## Throw generated calls at the API, bundles and AppSpecs at the host runner (FUZZ_EXAMPLES; about 15 minutes)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-20000} timeout 1800 $(PYTEST) --timeout 1800 tests/unit/runner/test_fuzz.py \
	  tests/unit/api/test_fuzz.py

lint: .venv/.stamp .venv-sam/.stamp ## Check style, types, directions of import, and the template
	@mkdir -p build
	@echo "lint: ruff check"        && $(PY) -m ruff check --quiet $(CODE)
	@echo "lint: ruff format"       && $(PY) -m ruff format --quiet --check $(CODE) \
	  || { $(PY) -m ruff format --check $(CODE); echo "Remedy: make format"; exit 1; }
	@echo "lint: mypy --strict"     && $(PY) -m mypy --strict --no-error-summary $(TYPED)
	@echo "lint: vermin (the host runner runs on Python 3.6)" && .venv/bin/vermin --quiet --violations --no-tips \
	  --target=3.6- --backport typing layers/runner/tidegate_runner
	@echo "lint: directions of import" && .venv/bin/lint-imports --no-cache >build/lint-imports.txt 2>&1 \
	  || { cat build/lint-imports.txt; exit 1; }
	@echo "lint: sam validate"      && $(SAM) validate --lint >build/sam-validate.txt 2>&1 \
	  || { cat build/sam-validate.txt; exit 1; }
	@echo "lint: clean"

format: .venv/.stamp ## Format the code
	@$(PY) -m ruff format $(CODE)
	@$(PY) -m ruff check --fix --quiet $(CODE) || true

docs: .venv/.stamp ## Write docs/api.md from the code
	@$(PY) scripts/api_reference.py

bench: .venv/.stamp ## Measure what a cold start costs each function, and the core on large fleets
	@$(PY) -m bench

build: .venv/.stamp .venv-sam/.stamp ## Build functions and layers for Lambda (into .aws-sam)
	@$(SAM) build

lock: ## Compile requirements/*.txt anew (needs uv)
	@scripts/lock.sh

clean: ## Take away all that make made
	rm -rf build .aws-sam .venv .venv-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

# --- set-up, each step once until what it depends on changes ---------------------------------------------

.venv/.packages: requirements/dev.txt scripts/setup_venv.sh
	@scripts/setup_venv.sh .venv requirements/dev.txt
	@ln -sf ../../.venv-sam/bin/sam .venv/bin/sam
	@touch $@

.venv/.stamp: .venv/.packages pyproject.toml
	@echo "setup: installing tidegate (editable)" >&2
	@$(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p build && touch $@

# The SAM CLI pins its own boto3, so it has an environment of its own; .venv/bin/sam is a link to it.
.venv-sam/.stamp: requirements/sam.txt scripts/setup_venv.sh
	@scripts/setup_venv.sh .venv-sam requirements/sam.txt
	@touch $@
