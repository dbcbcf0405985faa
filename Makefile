# Practicum. `make demo` runs all of it here; `make test` runs the tests; `make check` is what a commit must pass.
PYTHON ?= python3
PORT ?= 8000
DATA ?= var
ENGINE ?= auto
WORK ?= done
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Dozens of processes are started: each would compile the same modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset site-env env unit test attacks lint check format lock bench images

help: ## What there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: ## Everything on this machine, with people and work in it (PORT=8000 DATA=var ENGINE=auto|none WORK=done|none)
	@$(PYTHON) deploy/demo.py --port $(PORT) --data-dir $(DATA) --engine $(ENGINE) --work $(WORK)

demo-reset: ## Forget what the demo keeps
	@$(PYTHON) deploy/demo.py --port $(PORT) --data-dir $(DATA) --engine $(ENGINE) --reset

env: ## The development environment, from the lock files
	@$(PYTHON) deploy/bootstrap.py dev

unit: env ## Unit tests only, on SQLite, without the slow ones
	$(PYTEST) -q -n auto --nomigrations -m "not slow and not keeping and not engine and not browser and not hub and not workspace and not postgres and not gpu and not e2e and not attack"

test: env ## Tests on all real parts; engine, browser and PostgreSQL are installed where they are missing (ALL=1: the slow ones, too; SHUFFLE=1: in random order)
	@$(BIN)/python -m tests.tools.run

attacks: env ## Every attack beside its weak control, as a table; fails at a hole (JSON=file writes it down)
	@$(BIN)/python -m tests.attacks $(if $(JSON),--json $(JSON))

check: lint unit ## What a commit must pass, without the slow tests

lint: env ## Formatting, lint, types, room borders, settings, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy platform/practicum hub/practicum_hub
	PYTHONPATH=platform:hub $(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m tests.tools.check_deploy

format: env ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Renew the lock files from pyproject.toml and images/*/requirements.in
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --python-version 3.11 --no-header --no-emit-index-url pyproject.toml -o requirements/site.txt
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-header --no-emit-index-url pyproject.toml --group dev -c requirements/site.txt -o requirements/dev.txt
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate requirements/s3.in -o requirements/s3.txt
	for image in workspace scorer; do $(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --no-annotate images/$$image/requirements.in -o images/$$image/requirements.txt; done

bench: env ## The benchmarks; each compares with a peer in the same run and prints a ratio
	@$(BIN)/python -m tests.bench $(BENCH)

images: env ## Build the workspace and scorer images (SERVER=1: also site, database, TLS and egress proxy; OUTPUT=file for the tags)
	PYTHONPATH=platform $(BIN)/python -m practicum.engine.images $(if $(SERVER),--server) $(if $(OUTPUT),--output $(OUTPUT))
