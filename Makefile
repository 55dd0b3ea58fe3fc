SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin
PROGRAM := $(BIN)/onesignal-pipeline
UV_VERSION := 0.13.9
CYCLONEDX_VERSION := 7.5.0
UPGRADE := --upgrade

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/installed: pyproject.toml requirements/dev.txt .ci/setup
	@PYTHON="$(PYTHON)" .ci/setup

.PHONY: setup
setup: .venv/installed ## Create .venv with the locked packages; every other target does this when needed

.PHONY: demo
demo: .venv/installed ## Run the whole pipeline on this machine; options: ARGS="--events 50000 --faults"
	@$(PROGRAM) demo $(ARGS)

.PHONY: test
test: .venv/installed ## Run all checks: lint, types, import rules, tests on both brokers, coverage; in CI the chart too
	@$(BIN)/python -m tests.suite

.PHONY: unit
unit: .venv/installed ## Run only the unit and property tests
	@$(BIN)/python -m pytest tests/unit tests/properties $(ARGS)

.PHONY: mutants
mutants: .venv/installed build/mutants/tool/installed ## Mutate a module and run its tests on each mutant; ARGS="ledger lane"; minutes per module
	@PYTHONPATH=build/mutants/tool $(BIN)/python -m tests.mutants $(ARGS)

build/mutants/tool/installed: requirements/mutants.txt
	@rm -rf build/mutants/tool
	@$(BIN)/python -m pip install --quiet --require-hashes --target build/mutants/tool -r requirements/mutants.txt
	@touch build/mutants/tool/installed

.PHONY: lint
lint: .venv/installed ## Check style, format and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

.PHONY: format
format: .venv/installed ## Format all files
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: .venv/installed ## Check types
	@$(BIN)/mypy

.PHONY: bench
bench: .venv/installed ## Measure processor and sink on a real Kafka; ARGS=rates: at steady rates, 14 minutes; writes build/bench.json
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: chaos
chaos: .venv/installed ## Inject every kind of fault on a real Kafka; ARGS="--short --seed 7"; writes build/chaos.json
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: hostile
hostile: .venv/installed ## Test hostile messages, answers, inputs, topics and clocks on a real Kafka; ARGS="--short --only answers"; writes build/hostile.json
	@$(BIN)/python -m tests.hostile $(ARGS)

.PHONY: test-chart
test-chart: .venv/installed ## Check the Helm chart with pinned tools and a real Kubernetes API; the first run builds them, 30 minutes
	@$(BIN)/python -m tests.deploy $(ARGS)

.PHONY: test-image
test-image: .venv/installed ## Build the image with buildah and run workers in it, as root; included in test-chart
	@$(BIN)/python -m pytest tests/deploy/test_image.py $(ARGS)

.PHONY: kafka
kafka: .venv/installed ## Run a real Apache Kafka on this machine until Ctrl-C (needs Java 17 and Maven)
	@$(BIN)/python -m tests.kafka_server $(ARGS)

.PHONY: docs
docs: .venv/installed ## Generate the pages of settings and metrics, the schema of the chart's values, dashboards and alerts
	@$(BIN)/python -m tests.settings_page
	@$(BIN)/python -m tests.write_chart_schema
	@$(BIN)/python -m tests.metrics_catalogue
	@$(BIN)/python -m tests.deploy.dashboards

.PHONY: site
site: .venv/installed ## Build the documentation site from docs/ in a separate environment: build/site/pages
	@$(BIN)/python -m tests.docs_site

.PHONY: chart-docs
chart-docs: .venv/installed ## Generate the chart's README from its values and their comments
	@$(BIN)/python -m tests.deploy.toolbox helm-docs
	@$(BIN)/python -m tests.deploy.chart_readme

.PHONY: lock
lock: .venv/installed ## Resolve the dependencies again and write requirements/
	@test -x build/lock/bin/uv || { $(BIN)/python -m venv build/lock && build/lock/bin/pip install --quiet uv==$(UV_VERSION); }
	@compile() { build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE) "$$@"; }; \
	compile pyproject.toml --output-file requirements/runtime.txt; \
	compile pyproject.toml --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt; \
	for extra in demo registry what-if; do \
	  compile pyproject.toml --extra $$extra --constraint requirements/dev.txt --output-file requirements/$$extra.txt; \
	done; \
	compile requirements/build.in --constraint requirements/dev.txt --output-file requirements/build.txt; \
	compile requirements/mutants.in --constraint requirements/dev.txt --output-file requirements/mutants.txt; \
	compile requirements/docs.in --constraint requirements/dev.txt --output-file requirements/docs.txt
	@if grep -n '://' requirements/*.txt; then echo "A lock file names an address." >&2; exit 1; fi

.PHONY: sbom
sbom: .venv/installed ## Write the software bill of materials, as CycloneDX: build/sbom.json
	@test -x build/sbom/bin/cyclonedx-py || { $(BIN)/python -m venv build/sbom && build/sbom/bin/pip install --quiet cyclonedx-bom==$(CYCLONEDX_VERSION); }
	@build/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --of JSON -o build/sbom.json requirements/runtime.txt
	@echo "build/sbom.json: $$(grep -c '"bom-ref": "requirements' build/sbom.json) packages"

.PHONY: clean
clean: ## Remove everything that was built here, including .venv
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
