# The front door. Every target first makes what it needs in .venv; a second run finds it made and does nothing.
# Needed beforehand: make, and Python 3.11 or newer (PYTHON=/path/to/python3 chooses one).

MAKEFLAGS += --no-builtin-rules --no-print-directory
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input install
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help serve test coverage check fmt soak bench bench-more docs pictures screenshots lock clean postgresql chromium proxies

help:
	@echo "make serve   set everything up and run Latchgate on http://127.0.0.1:8000"
	@echo "make test    set everything up and run every test"
	@echo "make coverage  run them, but the longest, and tell what they do not reach"
	@echo "make check   lint, format, types, import contracts, shape and documents"
	@echo "make fmt     format the code, and mend what can be mended"
	@echo "make soak    the long forms of the truth, crash and fuzz tests"
	@echo "make bench   measure all that a figure was promised for, and write docs/performance.md"
	@echo "make bench-more  measure the desk and records of a large instance, and OAuth 2 beside a peer"
	@echo "make docs    the documents as a site that can be searched, in build/docs"
	@echo "make pictures  the pictures of the tour, by walking it"
	@echo "make screenshots  pictures of every page, light and dark, wide and narrow"
	@echo "make lock    write requirements/ anew from pyproject.toml (UPGRADE=1 takes newer versions)"
	@echo "make clean   remove .venv and what the tools left; never data/"

# exec: Ctrl-C and SIGTERM reach the server itself, not a shell in between.
serve: $(VENV)/server
	@export LATCHGATE_HOME="$${LATCHGATE_HOME:-data}"; exec $(BIN)/latchgate serve

# A file's tests stay together, since they share servers; much of their time is waiting, so there are more of them at once
# than processors.
AT_ONCE := -n $$(( 2 * $$(getconf _NPROCESSORS_ONLN) )) --dist loadfile --no-loadscope-reorder

# Some of sixteen thousand tests wait for other processes, and on a machine that is busy with other things one in many runs
# waits too short a time. A few that failed are run once more, alone; what fails again has failed, and what passes is named.
test: $(VENV)/dev $(VENV)/docs postgresql chromium proxies
	@$(BIN)/python tools/run_tests.py $(AT_ONCE)

# The rules and the uses are covered wholly, branches too; the rest nearly. Measuring takes half as long again, so it is apart
# from the tests; what drives browsers, follows the guides and kills servers proves the whole, and is not what covers it.
coverage: $(VENV)/dev postgresql
	@$(BIN)/python -m pytest $(AT_ONCE) --ignore=tests/browser --ignore=tests/crash --ignore=tests/docs --ignore=tests/proxies --cov --cov-report=
	@$(BIN)/coverage report --fail-under=95
	@$(BIN)/coverage report --fail-under=100 --include='*/latchgate/core/*,*/latchgate/oauth/*,*/latchgate/services/*'

check: $(VENV)/dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest --quiet tests/architecture tests/docs/test_documents.py tests/docs/test_contributing.py tests/docs/test_*_page.py

fmt: $(VENV)/dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

soak: $(VENV)/dev postgresql
	@$(BIN)/python -m pytest -m soak --hypothesis-profile=soak --timeout=7200

# Half an hour on a machine that does nothing else meanwhile. One table; each benchmark's own goes to standard error, and
# all of them to the document.
bench: $(VENV)/dev
	@$(BIN)/python bench/aims.py --document docs/performance.md

# What takes longer, or no figure was promised for: time as a side channel, the desk and records of a large instance, which
# two minutes fill or more, OAuth 2 beside a peer.
bench-more: $(VENV)/dev
	@$(BIN)/python bench/timing.py && echo && $(BIN)/python bench/desk.py && echo && $(BIN)/python bench/resources.py \
		&& echo && $(BIN)/python bench/oauth.py

# A link that leads nowhere, or a page that docs/README.md does not list, is an error.
docs: $(VENV)/dev $(VENV)/docs
	@$(BIN)/python tools/docs_site.py
	@echo "The site is in build/docs; open build/docs/index.html"

# The tour's pictures are committed; whoever changes what they show makes them anew.
pictures: $(VENV)/dev chromium
	@PYTHONPATH=tests $(BIN)/python tools/pictures.py

screenshots: $(VENV)/dev chromium
	@PYTHONPATH=tests $(BIN)/python bench/screenshots.py $(ONLY)

# Why so, and why no registry is named: docs/decisions/0002-requirements.md.
lock: $(VENV)/lock
	@$(LOCK) --group lock -o requirements/lock.txt
	@$(LOCK) pyproject.toml --extra server --extra postgres --group build -o requirements/server.txt
	@$(LOCK) pyproject.toml --extra server --extra postgres --group dev -c requirements/server.txt --no-annotate -o requirements/dev.txt
	@$(LOCK) --group docs -c requirements/dev.txt --no-annotate -o requirements/docs.txt
	@! grep -nE '://|--find-links|--index|--extra-index' requirements/*.txt

clean:
	@rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis .coverage .coverage.*
	@find src tests -name __pycache__ -prune -exec rm -rf {} +
	@rm -rf src/*.egg-info

$(VENV)/made:
	@echo "Making an environment in $(VENV) ..."
	@for python in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { lacking="$$python"; continue; }; \
		"$$python" -m venv --clear $(VENV) && touch $@; exit; \
	done; \
	if [ -n "$$lacking" ]; then \
		echo "$$lacking lacks its venv module; on Debian and Ubuntu: apt-get install $$( \
			$$lacking -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
	else \
		echo "No Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; exit 1

# The package itself is installed as a link to src/, so that a changed file needs no second installation.
$(VENV)/server $(VENV)/dev $(VENV)/docs $(VENV)/lock: $(VENV)/%: $(VENV)/made requirements/%.txt pyproject.toml
	@echo "Installing requirements/$*.txt; the first time takes a minute ..."
	@$(PIP) --require-hashes -r requirements/$*.txt \
		&& { [ $* = lock ] || $(PIP) --no-deps --no-build-isolation -e .; } \
		|| { echo "The packages could not be installed: see above; is there a network?" >&2; exit 1; }
	@touch $@

# The storage tests start a PostgreSQL of their own; they need its programs, no running server.
postgresql:
	@for folder in $$(echo "$$PATH" | tr ':' ' ') /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin; do \
		[ ! -x "$$folder/initdb" ] || exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing PostgreSQL for the storage tests ..."; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends postgresql; } \
			>/dev/null 2>&1 && exit 0; \
	fi; \
	echo "The storage tests need PostgreSQL's programs (initdb, postgres); on Debian: apt-get install postgresql" >&2; exit 1

# The browser tests drive it without a window, for which Debian has a program that makes none; a full Chromium takes them a
# few minutes longer. Playwright's own download of a browser is not used.
chromium:
	@! command -v chromium-headless-shell >/dev/null || exit 0; \
	found=$$(command -v chromium || command -v chromium-browser || command -v google-chrome); \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the browser tests ..."; \
		[ -n "$$found" ] || apt-get -qq update >/dev/null 2>&1; \
		for package in chromium-headless-shell $${found:+-} chromium; do \
			[ $$package != - ] || exit 0; \
			! DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$$package" >/dev/null 2>&1 || exit 0; \
		done; \
	fi; \
	[ -n "$$found" ] || { echo "The browser tests need Chromium; on Debian: apt-get install chromium-headless-shell" >&2; exit 1; }

# The tests of the guides to proxies run each of them on a port of its own; what a package would start of itself is not needed.
proxies:
	@missing=; for program in nginx caddy haproxy; do \
		PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v "$$program" >/dev/null || missing="$$missing $$program"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing for the tests of proxies ..."; \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends \
			$$(echo "$$missing" | sed 's/nginx/nginx-light/'); } >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "The tests of proxies need$$missing; on Debian: apt-get install nginx-light caddy haproxy" >&2; exit 1
