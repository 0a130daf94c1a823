# Works with GNU make 3.81 (macOS) and later. What make itself says goes to stderr.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
UV := $(BIN)/uv
ARGS ?=
RECORDED ?= ../shared/data/binance

.DEFAULT_GOAL := help
.PHONY: help setup example example-binance example-dapr test test-dapr test-faults daprd brokers test-recorded test-schedules soak-faults check format bench bench-quick bench-guard soak bench-healing bench-dapr protos lock worker clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment to run: locked, with hashes; redone when the lock changes.
$(VENV)/.run: requirements/run.lock pyproject.toml
	@echo "setting up $(VENV) (once) ..." >&2
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; %s is %s: make PYTHON=/path/to/python3.11" % (sys.executable, sys.version.split()[0]))' >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) >&2
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/run.lock >&2
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable . >&2
	@touch $@

# The same plus what tests and checks need.
$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "adding what the tests need (once) ..." >&2
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --require-hashes -r requirements/dev.lock >&2
	@touch $@

setup: $(VENV)/.dev ## build .venv with everything for development

example: $(VENV)/.run ## run the Alpaca example (ARGS="--frames 50 --json")
	@$(BIN)/python scripts/run_alpaca_market_data_example.py $(ARGS)

example-dapr: $(VENV)/.run ## the same on Dapr and Redis (the same ARGS)
	@$(BIN)/python -m deploy.get_daprd >/dev/null
	@$(BIN)/python -m deploy.get_brokers redis-server >/dev/null
	@$(BIN)/python scripts/run_alpaca_market_data_example.py --platform dapr $(ARGS)

example-binance: $(VENV)/.run ## run the Binance example (ARGS="--upstream live")
	@$(BIN)/python scripts/run_binance_market_data_example.py $(ARGS)

test: $(VENV)/.dev ## run the tests (ARGS="tests/frames -k gap")
	@$(BIN)/python -m pytest $(ARGS)

test-faults: $(VENV)/.dev ## run the seeded schedules of faults (ARGS="--seed 7" repeats one)
	@$(BIN)/python -m pytest --faults -m schedules $(ARGS)

test-schedules: $(VENV)/.dev ## run 300 simulated schedules of faults (ARGS="--from-seed 7 --schedules 1")
	@$(BIN)/python -m tests.simulation $(ARGS)

soak-faults: $(VENV)/.dev ## run as many as you like (ARGS="--schedules 5000 --from-seed 1")
	@$(BIN)/python -m tests.simulation --schedules 5000 $(ARGS)

test-recorded: $(VENV)/.dev ## rebuild real order books from recorded data (RECORDED=folder)
	@VIRTUFIN_RECORDED_DATA=$(RECORDED) $(BIN)/python -m pytest tests/recorded $(ARGS)

daprd: $(VENV)/.run ## find daprd, or build it (once a machine)
	@$(BIN)/python -m deploy.get_daprd

brokers: $(VENV)/.run ## find Redis, NATS and Kafka, or install them
	@$(BIN)/python -m deploy.get_brokers

test-dapr: $(VENV)/.dev daprd brokers ## run the tests that need daprd and brokers
	@$(BIN)/python -m pytest --dapr tests/dapr $(ARGS)

check: $(VENV)/.dev ## lint, format, types, generated code, lock
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python tools/generate_protos.py --check

format: $(VENV)/.dev ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## measure, beside peers and limits: tables and JSON (10 minutes)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(VENV)/.dev ## the same in 2 minutes
	@$(BIN)/python -m benchmarks --quick $(ARGS)

bench-guard: $(VENV)/.dev ## fail when the data path has become slower (ARGS="--write" accepts it)
	@$(BIN)/python -m benchmarks.throughput.guard $(ARGS)

soak: $(VENV)/.dev ## an hour at half of the maximum (ARGS="--minutes 5")
	@$(BIN)/python -m benchmarks.throughput.soak $(ARGS)

bench-healing: $(VENV)/.dev ## measure what healing costs (ARGS="--docs" draws the herd anew)
	@$(BIN)/python -m benchmarks.healing $(ARGS)

bench-dapr: $(VENV)/.dev daprd brokers ## measure the way over Dapr on every target: a table
	@$(BIN)/python -m benchmarks.dapr $(ARGS)

protos: $(VENV)/.dev ## generate the stubs from proto/
	@$(BIN)/python tools/generate_protos.py

lock: $(VENV)/.dev ## resolve the dependencies anew
	@$(UV) pip compile --quiet pyproject.toml --universal --python-version 3.11 --extra platform --group build --generate-hashes --no-header --no-annotate --upgrade -o requirements/run.lock
	@$(UV) pip compile --quiet pyproject.toml --universal --python-version 3.11 --extra platform --group build --group dev --generate-hashes --no-header --no-annotate --upgrade -c requirements/run.lock -o requirements/dev.lock

worker: $(VENV)/.dev ## build and pack the .NET worker
	@$(BIN)/python workers/build.py $(ARGS)

clean: ## remove what make built
	@rm -rf $(VENV) .bench-venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
