# `make` lists what there is. Two commands do all the set-up: `make run` and `make test`. docs/operating.md says what
# `make install` does.

PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 3000
BIN    := $(VENV)/bin

# Where `make install` puts the server and its units. With DESTDIR, all of that below another root.
prefix  = /usr/local
unitdir = /etc/systemd/system
LIB    := $(prefix)/lib/message-board
NEW    := $(DESTDIR)$(LIB).new
UNITS  := message-board.service message-board.socket message-board@.service message-board@.socket \
          message-board-backup.service message-board-backup.timer

# Where tests/support/install-tools puts Node.js if the machine's is too old.
export PATH := $(abspath $(VENV))/node/node_modules/node/bin:$(PATH)

# The tests start some hundred servers: Python keeps what it has compiled, also where it is told not to.
unexport PYTHONDONTWRITEBYTECODE

# What needs no browser, no Node.js, no root and no other machine, and takes a few seconds a file.
QUICK  := admin admission board classic_format classic_node coming_back drain engine headers leaving logins metrics origins send_away \
          socketio status stream_format websocket
FAST   := tests/unit $(QUICK:%=tests/journeys/test_%.py)
# What needs none of that either, but takes its time.
SLOWER := classic_cluster cluster cluster_recovery disconnect failures fast_path http limits logs malformed plain_listen poison polling refusals restart server \
          sockets systemd tls upgrade

# The packages that a node of a cluster needs.
CLUSTER = $(shell sed -n "s/^\(redis\|msgpack\)\([^ ]*\).*/'\1\2'/p" tests/requirements.txt)

.PHONY: help run run-cluster test test-fast test-thorough coverage check format tools dist soak bench profile install uninstall clean

help:                      ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | sort | \
	  while IFS="$$(printf '\t')" read -r name what; do printf 'make %-11s %s\n' "$$name" "$$what"; done

run: $(VENV)/.run          ## serve the board on port 3000
	$(BIN)/python server.py --port=$(PORT)

run-cluster: $(VENV)/.cluster  ## serve the board by three nodes with a Redis and nginx on this machine, until Ctrl-C
	@VENV=$(VENV) PORT=$(PORT) deploy/run-cluster

test: check tools          ## install what the tests need, then run all of them
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-thorough: export THOROUGH = yes
test-thorough: test        ## the same with many more drawn inputs, cuts and events; before a release

test-fast: $(VENV)/.test   ## the unit tests and the quick journeys, in less than a minute
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --hypothesis-profile=few $(FAST) $(ARGS)

# Where no file may grow, coverage cannot write its own.
coverage: $(VENV)/.test    ## lines and branches that no test without a browser or Node.js runs; takes minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" -k "not on_a_full_disk" \
	  --cov --cov-report=term-missing:skip-covered $(FAST) $(SLOWER:%=tests/journeys/test_%.py) $(ARGS)

format: $(VENV)/.test      ## write the code as ruff wants it
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

check: $(VENV)/.test       ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --quiet --no-tips --violations -t=3.10- server.py handlers docs examples benchmarks $(filter-out tests/js/ tests/__pycache__/,$(wildcard tests/*/)) tests/conftest.py

tools: $(VENV)/.test tests/js/node_modules/.installed  ## Node.js, a browser, proxies and other Pythons, for the tests
	VENV=$(VENV) tests/support/install-tools
	$(BIN)/python tests/support/pythons.py

dist: $(VENV)/.test        ## the library's wheel and source distribution, into dist/
	rm -rf dist
	$(BIN)/python -m build

soak: $(VENV)/.test tests/js/node_modules/.installed  ## ten minutes of clients that come, go, die and flood; ARGS="--help"
	PYTHONPATH=tests:tests/support $(BIN)/python -m soak $(ARGS)

bench: $(VENV)/.run        ## the peers side by side; ARGS="--quick" in under a minute
	$(BIN)/python benchmarks/run.py $(ARGS)

install:                   ## the server with a venv of its own, and its units; REDIS=yes for several nodes
	rm -rf "$(NEW)"
	install -d "$(NEW)" "$(DESTDIR)$(unitdir)"
	cp -R server.py handlers static templates LICENSE "$(NEW)"
	$(PYTHON) -m venv "$(NEW)/venv"
	grep '^tornado' requirements.txt | "$(NEW)/venv/bin/python" -m pip install -q --disable-pip-version-check \
	  $(if $(REDIS),$(CLUSTER)) -r /dev/stdin
	"$(NEW)/venv/bin/python" -m pip uninstall -q -y setuptools pip
	rm "$(NEW)"/venv/bin/[aA]ctivate*
	cd "$(NEW)" && venv/bin/python -m compileall -q -f server.py handlers
	chmod -R u=rwX,go=rX "$(NEW)"
	rm -rf "$(DESTDIR)$(LIB)"
	mv "$(NEW)" "$(DESTDIR)$(LIB)"
	for unit in $(UNITS); do \
	  sed 's|/usr/local/lib/message-board|$(LIB)|g' deploy/$$unit > "$(DESTDIR)$(unitdir)/$$unit" && \
	  chmod 644 "$(DESTDIR)$(unitdir)/$$unit" || exit 1; \
	done
	@case "$$(realpath "$(DESTDIR)$(LIB)/venv/bin/python")" in /home/*|/root/*) \
	  echo 'the service sees no home directories, and this Python is in one: make install PYTHON=/usr/bin/python3';; esac
	@echo 'installed; docs/operating.md says how to start it'

uninstall:                 ## what install has put there; what the server has saved stays
	rm -rf "$(DESTDIR)$(LIB)" "$(NEW)"
	rm -f $(UNITS:%="$(DESTDIR)$(unitdir)/%")

profile: $(VENV)/.test     ## where the time of our server goes, by py-spy
	$(BIN)/pip install -q --disable-pip-version-check py-spy
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python benchmarks/profile.py $(ARGS)

clean:                     ## remove the virtual environment and the packages of Node.js
	rm -rf $(VENV) tests/js/node_modules

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.cluster: requirements.txt tests/requirements.txt tests/support/install-tools | $(VENV)/bin/python
	VENV=$(VENV) tests/support/install-tools cluster
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt $(CLUSTER)
	touch $@

$(VENV)/.test: requirements.txt tests/requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install -q --disable-pip-version-check -r tests/requirements.txt
	touch $@

tests/js/node_modules/.installed: tests/js/package.json
	VENV=$(VENV) tests/support/install-tools node
	cd tests/js && npm install --silent --no-audit --no-fund
	touch $@
