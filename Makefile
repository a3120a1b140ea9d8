# The project's commands. `make demo` and `make test` need python3 (3.11 or newer, with venv), make and a package index.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
WORKLOADS ?= W1 W2 W2v W3 W4 W5
BENCH_ARGS ?=
MUTATED ?= engine/risk/*.py engine/orders/*.py

.PHONY: help demo test campaign mutation bench hour lock clean

help:
	@echo "make demo      a backtest of the demo, from nothing to its report"
	@echo "make test      the whole check: ruff, mypy, import contracts, pytest"
	@echo "make campaign  the tests with heavy random search; minutes, not seconds"
	@echo "make mutation  faults put into engine/risk and engine/orders one by one, to see whether a test notices; some"
	@echo "               40 minutes of one idle core; a part: MUTATED=engine/risk/gate.py. docs/mutation.md has the last run"
	@echo "make bench     the benchmarks, one JSON line each: WORKLOADS='W2 W3' BENCH_ARGS='--pipeline fused'"
	@echo "make hour      the recorded hour in replay_data, made anew (a core decides otherwise, and is meant to)"
	@echo "make lock      work out requirements.lock anew (needs uv)"
	@echo "make clean     remove the virtual environment and the caches"

demo: $(VENV)/.installed
	$(BIN)/engine backtest configs/demo.toml

test: $(VENV)/.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n 2

campaign: $(VENV)/.installed
	FULLTICKET_CAMPAIGN=1 $(BIN)/python -m pytest -n 2
	$(MAKE) mutation

mutation: $(VENV)/.mutation
	FULLTICKET_CAMPAIGN=mutation $(BIN)/python -m tests.mutation.run $(MUTATED)

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py $(WORKLOADS) $(BENCH_ARGS)

hour: $(VENV)/.installed
	$(BIN)/python replay_data/hour/make.py

lock:
	$(UV) pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock
	$(UV) pip compile tests/mutation/requirements.in --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --quiet --output-file tests/mutation/requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build mutants *.egg-info

# The packages, exactly those of the lock file. A venv without pip is one whose making was broken off.
$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.mutation: $(VENV)/.installed tests/mutation/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/mutation/requirements.lock
	@touch $@

# The project itself, editable; anew when its entry points or its packages may have changed.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
