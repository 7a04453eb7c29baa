# The verbs of this project. `make help` lists them.
SHELL := /bin/bash
PORT ?= 4005
PYTHON ?= python3
# Most tests wait for sockets; more of them than cores keeps the cores busy.
JOBS ?= 3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: bench bench-lock simulate-faults simulate-week simulate-mutants conformance fuzz help setup setup-dev run test check lint types imports unit integration browser docs web web-check lock clean

help: ## what can be done here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: setup ## the gateway, the simulator and the dashboard on http://127.0.0.1:4005 (PORT=4100 for another)
	@exec $(BIN)/quotewire demo --port $(PORT)

setup: .venv/.runtime ## the environment that runs quotewire: .venv/bin/quotewire

setup-dev: .venv/.dev ## the environment that also tests it

.venv/bin/python:
	@$(PYTHON) scripts/make_venv.py .venv

.venv/.runtime: .venv/bin/python requirements.lock pyproject.toml
	@$(BIN)/python scripts/install.py requirements.lock
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(BIN)/python scripts/install.py requirements-dev.lock
	@touch $@

test: setup-dev ## every test, the real browser included
	@scripts/system_packages.sh
	@$(MAKE) --no-print-directory lint types imports web-check conformance
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: lint types imports unit ## the everyday loop: under two minutes

lint: setup-dev ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup-dev ## mypy --strict
	@$(BIN)/mypy

imports: setup-dev ## imports point down only
	@$(BIN)/lint-imports --no-cache

unit: setup-dev ## the tests that need no server
	@$(BIN)/python -m pytest tests/unit tests/property -q -m "not slow"

integration: setup-dev ## the tests over real sockets
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal tests/integration tests/faults tests/contract tests/e2e

simulate-faults: setup-dev ## the upstream under faults in virtual time (SEEDS=10000; SEED=17 for one again, with its log)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000))

simulate-week: setup-dev ## a simulated trading week with a fault every few minutes
	@$(BIN)/python -m tests.simulation.week

conformance: setup-dev ## the Autobahn WebSocket test suite against the edge, judged strictly
	@$(BIN)/python -m tests.conformance

fuzz: setup-dev ## long fuzzing runs (TARGET=frames|upgrade|messages|upstream, all by default; SECONDS=60 each)
	@$(BIN)/python -m pip -q --disable-pip-version-check install --no-deps --upgrade --require-hashes --target var/fuzz/site -r fuzz/requirements.lock
	@for target in $(or $(TARGET),frames upgrade messages upstream); do \
		PYTHONPATH=var/fuzz/site $(BIN)/python -m fuzz $$target -max_total_time=$(or $(SECONDS),60) || exit 1; done

simulate-mutants: setup-dev ## the product broken in small ways, and the simulated seed that finds each
	@$(BIN)/python -m tests.simulation.mutants

browser: setup-dev ## the dashboard in a real Chromium
	@scripts/system_packages.sh
	@$(BIN)/python -m pytest tests/browser

docs: setup-dev ## the pages made from the code: settings, metrics, simulator, state machines
	@for script in reference_docs simulator_docs state_diagrams; do $(BIN)/python scripts/$$script.py; done

web: ## build the dashboard into the package (needs Node 20 or newer)
	@cd web && npm ci --no-fund --no-audit && npm run build

web-check: ## the dashboard's types and tests, and that the shipped build is today's
	@scripts/web_check.sh

lock: setup-dev ## make both lock files anew from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build --extra dev pyproject.toml -o requirements-dev.lock

bench: setup-dev ## every measure of docs/performance.md, some 9 minutes (BENCH=name for some, QUICK=1 short ones, ROUNDS=3)
	@$(BIN)/python -m benches $(BENCH) $(if $(QUICK),--quick) $(if $(ROUNDS),--rounds $(ROUNDS))

bench-lock: setup-dev ## the lock files of the benches' peers, made anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header benches/requirements.in -o benches/requirements.lock
	@cd benches/peers/node && npm install --package-lock-only --omit-lockfile-registry-resolved --no-fund --no-audit

clean: ## remove what can be made again
	@rm -rf .venv benches/.build web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis var
