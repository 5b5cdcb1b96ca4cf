# One verb per habit. A fresh machine needs Python 3.11+ and make; nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo test walks check bench faults alertfaults hub clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PACKAGES := probes collector correlator dashboards
ARGS ?=

help:
	@echo "make demo    install, then the platform with a simulated firm on http://127.0.0.1:8501"
	@echo "make test    install, then every test           (ARGS='tests/collector -k spool' narrows it)"
	@echo "make walks   two long visits to the demo in a browser: causes mended, an alert written"
	@echo "make check   ruff, mypy strict, import-linter"
	@echo "make bench   measure against the budgets        (ARGS='--only system' narrows it)"
	@echo "make faults  thirty rounds of kill -9 under load"
	@echo "make alertfaults  fifty times kill -9 while alerts are evaluated and delivered"
	@echo "make hub     a million events, a fifth of them with one default project id"

demo: .venv/.platform
	$(BIN)/throughline demo $(ARGS)

test: .venv/.dev .venv/.system
	@$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

walks: .venv/.dev .venv/.system
	@$(BIN)/python -m pytest -q -m "" tests/dashboards/test_demo_live.py

check: .venv/.dev .types/throughline
	@$(BIN)/ruff check --quiet . && echo "ruff: passed"
	@$(BIN)/mypy
	@out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }; echo "$$out" | tail -n 1

bench: .venv/.dev
	$(BIN)/python -m bench $(ARGS)

faults: .venv/.dev
	$(BIN)/python -m bench.faults $(ARGS)

alertfaults: .venv/.dev
	$(BIN)/python -m bench.alert_faults $(ARGS)

hub: .venv/.dev
	$(BIN)/python -m bench.hub

clean:
	rm -rf .venv .types .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

# What mypy and editors read: the folders under the names that they are imported by.
.types/throughline:
	@mkdir -p $@ && ln -sfn $(PACKAGES:%=../../%) $@

.venv/bin/python:
	@sh deploy/make-venv.sh "$(PYTHON)"

.venv/.platform: pyproject.toml | .venv/bin/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[platform]'
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.platform

# Chromium and PostgreSQL for the tests that need them: installed where we may, else those tests name themselves.
.venv/.system: deploy/test-system.sh | .venv/bin/python
	@sh deploy/test-system.sh && touch $@
