# Needs Python 3.11 or newer, git and make. Everything else goes into .venv.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8000
UV_VERSION := 0.13.8

is_new := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	"$$python" $(is_new) 2>/dev/null && echo "$$python" && break; done)

# For the entrypoints, which call `migrate` and `gunicorn` by name.
export PATH := $(abspath $(BIN)):$(PATH)
# The tests start the service hundreds of times; some machines would compile it anew for each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test acceptance-test lint lock compose-test crash-test soak bench clean

run: $(STAMP)
	@mkdir -p data && chmod 700 data
	@$(BIN)/migrate deploy
	@$(BIN)/migrate seed
	@$(BIN)/python entrypoints/laptop.py '$(PORT)'

test: $(STAMP)
	$(BIN)/pytest -n auto --dist worksteal -m "not crash" --ignore=tests/acceptance

# Entrypoints, real servers, and every page in Chromium: in light and dark, at a desk and on a phone.
acceptance-test: $(STAMP)
	$(BIN)/pytest -n auto --dist worksteal -m "not compose" tests/acceptance

compose-test: $(STAMP)
	$(BIN)/pytest -m compose

# Takes some minutes; makes a virtual environment of its own in build/benchmark.
bench: $(STAMP)
	$(BIN)/python -m benchmarks --write docs/benchmarks.md
	$(BIN)/python -m benchmarks.backfill --rows 1000000
	$(BIN)/python -m benchmarks.chat --write docs/benchmarks.md
	$(BIN)/python -m benchmarks.pages

crash-test: $(STAMP)
	$(BIN)/pytest -m crash -s tests/crash

# `make test` sends a hundred messages; this sends thousands, and kills workers every few seconds.
soak: $(STAMP)
	SOAK_MESSAGES=$${SOAK_MESSAGES:-5000} SOAK_ROUNDS=$${SOAK_ROUNDS:-12} $(BIN)/pytest -s tests/soak

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): docker/requirements-dev.txt pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "Slipway needs Python 3.11 or newer; found: $$(python3 --version 2>&1). \
	Install one, or name it: make run PYTHON=/path/to/python3.12" >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "Making $(VENV) with $(PYTHON)" && $(PYTHON) -m venv $(VENV); }
	@echo "Installing the pinned packages (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r docker/requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# Remakes the requirements from pyproject.toml: pinned, with hashes, for Python 3.11 and newer, naming no index.
RESOLVE = build/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links
LOCK = $(RESOLVE) pyproject.toml

lock: build/lock/bin/uv
	$(LOCK) -o docker/requirements.txt
	$(LOCK) --extra dev -o docker/requirements-dev.txt
	$(RESOLVE) benchmarks/requirements.in -o benchmarks/requirements.txt

build/lock/bin/uv:
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install -q --disable-pip-version-check uv==$(UV_VERSION)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
