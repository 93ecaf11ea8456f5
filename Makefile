# make chat · make test · make lint · make bench — each sets up what it needs and is quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Where another torch build than the index's own is wanted, name its index: make chat TORCH_INDEX=…
PIP := $(BIN)/python -m pip --disable-pip-version-check $(if $(VERBOSE),,--quiet)
TORCH_ARGS := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
MODEL ?= qwen2.5-coder-0.5b-instruct
BENCH_MODELS := smollm2-135m-instruct qwen2.5-coder-0.5b-instruct qwen2.5-coder-1.5b-instruct

.PHONY: chat test lint docs bench clean

chat: $(VENV)/ready
	@$(BIN)/assistant models pull $(MODEL)
	@$(BIN)/assistant chat --model $(MODEL)

test: $(VENV)/ready-dev
	$(BIN)/assistant models pull smollm2-135m-instruct
	$(BIN)/python -m pytest

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 chat'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready: $(VENV)/bin/python pyproject.toml
	@echo 'Installing (about two minutes the first time) …'
	$(PIP) install $(TORCH_ARGS) --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready pyproject.toml
	$(PIP) install $(TORCH_ARGS) --editable '.[dev]'
	@touch $@

docs: $(VENV)/ready-dev
	$(BIN)/python -m docs.generate

bench: $(VENV)/ready
	$(PIP) install $(TORCH_ARGS) --editable '.[bench]'
	$(BIN)/assistant models pull $(BENCH_MODELS)
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/report.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
