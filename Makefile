# The two commands of the README are `make demo` and `make test`; each sets up what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers, one a core: tests/support/lanes.py says which of them share one, longest first.
LANES := -n 2 --dist loadgroup --no-loadscope-reorder

.PHONY: help setup demo test unit lint format docs wheel bench clean

help:  ## Say what can be made.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## Install what the machine lacks (as root or by sudo) and a virtual environment in .venv.

$(STAMP): pyproject.toml scripts/setup
	scripts/setup $(VENV)
	touch $@

demo: setup  ## Build RocketMQ, deploy 3 + 3 on this machine, kill the master, show the verdict. KEEP=1 keeps it running.
	scripts/demo $(BIN)

test: setup lint  ## Run every linter and every test, against real builds, brokers and clients.
	$(BIN)/pytest $(LANES) --durations=25 --durations-min=20

unit: setup  ## Run the tests that need no broker.
	$(BIN)/pytest $(LANES) -m 'not e2e'

lint: setup  ## Run the linters: ruff, mypy, import-linter, ansible-lint.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory lint-ansible

.PHONY: lint-ansible
lint-ansible: setup
	ANSIBLE_HOME=$(CURDIR)/.ansible PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/ansible-lint -q

format: setup  ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup  ## Draw again what is drawn: the references of inventories and of RocketMQ's keys, and the commands.
	$(BIN)/python scripts/draw_inventory_reference.py
	$(BIN)/python scripts/draw_config_reference.py
	$(BIN)/python scripts/draw_commands.py

wheel: setup  ## Build the wheel into dist/.
	$(BIN)/python -m build --wheel

bench: setup  ## Measure: every script of benchmarks/, each against its named baseline. Needs the ports of inventory/local.
	scripts/bench $(BIN)

.PHONY: soak
soak: setup  ## Every release and layout on real hosts of a lab, and kill -9 at every step of every fault; hours.
	SOAK=1 scripts/setup $(VENV)
	scripts/soak-hosts $(BIN)
	$(BIN)/pytest tests/soak/*.py

clean:  ## Remove the virtual environment and caches.
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .ansible
