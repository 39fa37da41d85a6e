# Two commands do all the set-up: `make run` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 3000
BIN    := $(VENV)/bin

# Where tests/install-tools puts Node.js if the machine's is too old.
export PATH := $(abspath $(VENV))/node/node_modules/node/bin:$(PATH)

.PHONY: run test check tools bench clean

run: $(VENV)/.run          ## serve the board on port 3000
	$(BIN)/python server.py --port=$(PORT)

test: check tools          ## install what the tests need, then run all of them
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test       ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tools: $(VENV)/.test tests/js/node_modules/.installed
	VENV=$(VENV) tests/install-tools

bench: $(VENV)/.run        ## the peers side by side; ARGS="--quick" in under a minute
	$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) tests/js/node_modules

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.test: requirements.txt tests/requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements.txt
	touch $@

tests/js/node_modules/.installed: tests/js/package.json
	VENV=$(VENV) tests/install-tools node
	cd tests/js && npm install --silent --no-audit --no-fund
	touch $@
