# Development: an environment in .venv, the tests, the checks. Nothing here needs root, Docker or a Redis server.
# The default shell and GNU make 3.81 (macOS) are enough.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The Python that makes the environment; without a choice (make install PYTHON=/path/to/python3.12) the first of
# these that is 3.11 or newer.
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)
# More arguments for demo, test, chaos and simulate: make test ARGS="-k money -x"
ARGS ?=
# How many jobs chaos runs, and the seed of everything random in it: make chaos JOBS=500 SEED=7
JOBS ?= 500
SEED ?= 7
# How many seeds simulate runs; which, and how large: make simulate SEEDS=1000 ARGS="--start 5000 --jobs 100"
SEEDS ?= 200
PIP := $(BIN)/python -m pip --disable-pip-version-check
NEW_ENOUGH := import sys; print("%d.%d.%d" % sys.version_info[:3]); sys.exit(sys.version_info < (3, 11))

.DEFAULT_GOAL := help
.PHONY: help install demo test chaos simulate check docs clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make or renew the environment in .venv

demo: $(STAMP) ## Show the main job on this machine: simulated network, Redis, real workers
	@$(BIN)/dispatcher demo $(ARGS)

test: $(STAMP) ## Run the test suite
	@# Three on two cores: a fifth of the tests waits for processes.
	@$(BIN)/pytest -n 3 $(ARGS)

chaos: $(STAMP) ## Kill everything at random under JOBS=500 jobs (SEED=7), then compare the books; 4 minutes
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) --seed $(SEED) $(ARGS)

simulate: $(STAMP) ## Run SEEDS=200 simulations of everything that can go wrong at once
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

check: $(STAMP) ## Lint, formatting, types, the direction of imports, the documentation
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.docs --check

docs: $(STAMP) ## Renew what the documentation has from the code
	@$(BIN)/python -m tests.docs

clean: ## Remove the environment and the caches, but not .dispatcher, where jobs may be kept
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One file stands for the whole environment, so that nothing is asked of the network while it is up to date.
$(STAMP): pyproject.toml constraints.txt
	@if ! $(BIN)/python -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
	  chosen=; seen=; \
	  for candidate in $(PYTHONS); do \
	    if version=$$("$$candidate" -c '$(NEW_ENOUGH)' 2>/dev/null); then chosen=$$candidate; break; fi; \
	    if [ -n "$$version" ]; then seen="$$seen $$candidate is $$version;"; fi; \
	  done; \
	  if [ -z "$$chosen" ]; then \
	    echo "Python 3.11 or newer is needed, and none was found as: $(PYTHONS).$${seen:+ ($${seen# })}" >&2; \
	    echo "Install one, or say where it is: make install PYTHON=/path/to/python3.12" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$chosen ($$version)"; \
	  "$$chosen" -m venv --clear $(VENV) || { \
	    echo "The venv could not be made; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	fi
	@echo "Installing into $(VENV) (once, a minute or so)"
	@# First pip itself: dependency groups need 25.1, and an old Python brings an older one.
	@$(PIP) install -qq --constraint constraints.txt --upgrade pip
	@$(PIP) install -qq --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@
