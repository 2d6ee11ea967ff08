# `make demo` and `make test` set everything up in .venv by themselves; nothing outside this folder is changed.
# Needs: Python 3.11, 3.12 or 3.13, make, and a package index.
# `make test VENV=.venv-312 PYTHON=python3.12` does it under another Python, in an environment beside the first.

VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
SUMMARY ?= demo-run/summary.json
DEMO_DIR ?= demo-run
LAB_DIR ?= lab-run
PYTHON ?=

.PHONY: demo lab test check bench bench-scale soak clean setup

setup:
	@PYTHON="$(PYTHON)" sh tools/setup.sh $(VENV)

demo: setup
	@$(BIN)/mutua demo --seed $(SEED) --summary $(SUMMARY) --folder $(DEMO_DIR)

lab: setup
	@$(BIN)/mutua lab --seed $(SEED) --folder $(LAB_DIR)

test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports

bench: setup
	@missed=; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || missed="$$missed $$file"; done; \
	test -z "$$missed" || { echo "not as asked:$$missed"; exit 1; }

bench-scale: setup
	@$(BIN)/python benchmarks/bench_scale.py --members 1000,10000,100000,1000000

soak: setup
	@MUTUA_SOAK=1 $(BIN)/python -m pytest -m soak -s

clean:
	rm -rf $(VENV) demo-run .demo-run-synthea lab-run build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
