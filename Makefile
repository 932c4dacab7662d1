# make demo · make test · make unit · make acceptance · make lint · make bench · make bench-gpu: each sets up .venv by itself when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test unit acceptance lint format bench bench-gpu clean

demo: $(VENV)/.installed
	$(BIN)/netwright run

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not slow and not acceptance"

acceptance: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal -m acceptance

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy core plugins

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	for script in benchmarks/[a-z]*.py; do OMP_WAIT_POLICY=PASSIVE $(BIN)/python $$script || exit 1; done

bench-gpu: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/fusion_gpu.py

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "netwright needs Python 3.11 or later; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	@echo "installing netwright into $(VENV): some 6 GB with PyTorch, a few minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@
