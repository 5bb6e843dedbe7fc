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
DAYS ?= 1000000
SECONDS ?= 60
DURATION ?= 1h
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz system-test crash soak model-check mutate simulate check audit sbom format lock

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## rotate credentials on a real Vault server and a Salesforce sandbox, on this machine
	$(BIN)/rotator demo $(ARGS)

test: $(READY)  ## run the tests; ARGS="tests/show -k redact" runs some of them
	$(BIN)/python -m pytest -q -n auto --ignore=tests/system --ignore=tests/judges --ignore=tests/machines $(ARGS)

fuzz: $(READY)  ## feed every reader with what atheris finds, for SECONDS=60 in all, from SEED=1 on (Linux on x86-64)
	$(BIN)/python -m tests.hostile.fuzz --seconds $(SECONDS) --seed $(SEED) $(ARGS)

system-test: $(READY) $(JUDGES)  ## run the slow tests: processes that are killed, machines that boot, and judges from outside (some minutes)
	$(BIN)/python -m pytest -q -n auto --dist loadscope tests/judges tests/system tests/machines $(ARGS)

crash: $(READY)  ## kill the daemon before and after every write of every path; ARGS="--points 6" takes a sample
	$(BIN)/python -m tests.crash $(ARGS)

soak: $(READY)  ## rotate for DURATION=1h under faults, with 50 consumers; SEED=7 brings other faults
	$(BIN)/python -m tests.soak $(DURATION) --seed $(SEED)

model-check: $(READY)  ## explore large worlds and mutate the transition table (an hour; ARGS="--limit 15000 --mutants 12": minutes)
	$(BIN)/python -m tests.explore $(ARGS)

mutate: $(READY)  ## change the core in thousands of small ways and see whether its tests notice (a quarter of an hour)
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutation

simulate: $(READY)  ## play fleets in virtual time, everything going wrong by a SEED, for DAYS credential-days; STORY=N tells one again
	$(BIN)/python -m tests.simulate --seed $(SEED) --days $(DAYS) $(if $(STORY),--story $(STORY) --keep "$(KEEP)") $(ARGS)

check: $(READY)  ## lint, formatting, types, and which module may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(READY)  ## look up what is known against all that is locked; ARGS=--allow-unanswered where no service answers
	$(BIN)/python -m tests.supply_chain.audit $(ARGS)

SHIPPED := build/shipped

sbom: $(READY)  ## write build/sbom.json, the bill of materials of what is shipped, and judge it and its licences
	rm -rf $(SHIPPED) && $(BIN)/python -m venv --without-pip $(SHIPPED)
	$(PIP) --python $(SHIPPED)/bin/python install --no-compile --only-binary :all: --require-hashes -r .ci/requirements.txt
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --validate \
		-o build/sbom.json $(SHIPPED)/bin/python
	$(BIN)/python -m tests.supply_chain.bill build/sbom.json

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
	$(COMPILE) pyproject.toml $(VENV)/build-requires.in --extra sandbox \
		--group test --group fuzz --group mutate --group check --group audit \
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
