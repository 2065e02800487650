# Two commands matter: `make demo` and `make test`. Both make the environment first if it is not there.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# uv does not read pip's settings, so the wheel folder pip is configured with is passed on.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export FLYWHEEL_HOME ?= $(CURDIR)/.flywheel
export DAGSTER_HOME := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check format bench bench-datasets bench-derive bench-gate bench-generate bench-train bench-train-gpu ui constraints

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready  ## the environment in .venv, from pinned versions

.venv/ready: pyproject.toml constraints.txt
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
		uv pip install --quiet --compile-bytecode -p .venv -c constraints.txt -e '.[dev]'; \
	else \
		$(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --compile -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

demo: setup  ## play three weeks and turn the wheel: a small model gets better because people used it
	@$(BIN)/flywheel demo

ui: setup  ## Dagster and MLflow on loopback
	@$(BIN)/flywheel ui

test: setup  ## the tests, under ten minutes on two cores
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope -m 'not slow and not gpu'

test-slow: setup  ## the long tests: whole demos, servers, faults
	@$(BIN)/python -m pytest -m slow

check: setup  ## format, lint, types
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/basedpyright

format: setup  ## put the code in shape
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.venv/bench: .venv/ready
	@if command -v uv >/dev/null; then \
		uv pip install --quiet -p .venv -c constraints.txt -e '.[bench]'; \
	else \
		$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'; \
	fi
	@touch $@

bench-derive: setup  ## from events to records beside named peers: some twenty minutes, 6 GB of disk for a while
	@$(BIN)/python -m benchmarks.derive

bench-gate: setup  ## what judging 100,000 items costs, and what the gate promises over many cycles: some two minutes
	@$(BIN)/python -m benchmarks.gate

bench-generate: setup  ## the gate's answers in tokens per second beside generate(): some ten minutes
	@$(BIN)/python -m benchmarks.generate

bench-train: setup  ## training beside the bare TRL script, and what Dagster costs a step: some ten minutes
	@$(BIN)/python -m benchmarks.training

bench-train-gpu: setup  ## SFT and DPO on one GPU beside TRL's defaults and its best settings; skips without one
	@$(BIN)/python -m benchmarks.training.gpu

bench-datasets: .venv/bench  ## near-duplicates, decontamination and a million records to a dataset, beside named peers
	@$(BIN)/python -m benchmarks.datasets

bench: .venv/bench  ## side-by-side ratios against named peers: about ten minutes, 25 GB of disk for a while
	@$(BIN)/python -m benchmarks.ingest

constraints: setup  ## pin anew what pyproject.toml allows
	@{ head -1 constraints.txt; uv pip compile pyproject.toml --extra dev --extra bench --python-version 3.11 --no-header --no-annotate -q \
		-c <(echo torch==2.13.0) | grep -v '^--' | sed 's/+cpu$$//'; } > constraints.new && mv constraints.new constraints.txt
