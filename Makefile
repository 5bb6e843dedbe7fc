# Needs make, Python 3.11 or later and the package registry; everything else goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JUDGES := $(VENV)/judges/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The first of these that is new enough and can make a virtual environment.
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
SUITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

ARGS ?=
SEED ?= 1
DAYS ?= 20000
.DEFAULT_GOAL := help
.PHONY: help demo test system-test simulate check format lock

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## rotate credentials on a real Vault server and a Salesforce sandbox, on this machine
	$(BIN)/rotator demo $(ARGS)

test: $(READY)  ## run the tests; ARGS="tests/show -k redact" runs some of them
	$(BIN)/python -m pytest -q -n auto --ignore=tests/system --ignore=tests/judges $(ARGS)

system-test: $(READY) $(JUDGES)  ## run the slow tests: processes that are killed, and judges from outside (some minutes)
	$(BIN)/python -m pytest -q -n auto --dist loadscope tests/judges tests/system $(ARGS)

simulate: $(READY)  ## play fleets in virtual time, everything going wrong by a SEED, for DAYS credential-days; STORY=N tells one again
	$(BIN)/python -m tests.simulate --seed $(SEED) --days $(DAYS) $(if $(STORY),--story $(STORY) --keep "$(KEEP)") $(ARGS)

check: $(READY)  ## lint, formatting, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

UV_VERSION := 0.13.9
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate $(ARGS)
# hatchling makes editable installs with editables.
BUILD_REQUIRES := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], "editables", sep="\n")

lock: $(READY)  ## pin what pyproject.toml asks for; ARGS=--upgrade takes the newest of everything
	$(PIP) install uv==$(UV_VERSION)
	$(BIN)/python -c '$(BUILD_REQUIRES)' > $(VENV)/build-requires.in
	$(COMPILE) pyproject.toml -o .ci/requirements.txt
	$(COMPILE) $(VENV)/build-requires.in -o .ci/requirements-build.txt
	$(COMPILE) pyproject.toml $(VENV)/build-requires.in --extra sandbox --group test --group check \
		-c .ci/requirements.txt -c .ci/requirements-build.txt -o .ci/requirements-dev.txt
	$(COMPILE) config/consumers/python/requirements.in -o config/consumers/python/requirements.txt

# What judges rotator in tests/judges and runs on Node.
$(JUDGES): $(READY) tests/judges/node/package-lock.json
	@mkdir -p $(dir $@)
	cp tests/judges/node/package.json tests/judges/node/package-lock.json tests/judges/node/.npmrc $(dir $@)
	cd $(dir $@) && npm ci --loglevel=error
	@touch $@

$(READY): .ci/requirements-dev.txt pyproject.toml
	@for python in $(PYTHONS); do \
		if $$python -c '$(SUITS)' 2>/dev/null; then exec $$python -m venv $(VENV); fi; \
	done; \
	echo "error: no Python 3.11 or later with venv and ensurepip was found" >&2; \
	echo "hint: install one (Debian: apt-get install python3 python3-venv)" >&2; exit 1
	$(PIP) install --require-hashes -r .ci/requirements-dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
