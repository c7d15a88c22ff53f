# Needs git, make and Python >= 3.11; everything else is fetched into .venv and the user's cache folder.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Without its bytecode, every process of every test would compile all of its packages again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
READY := .venv/.ready
PROJECTS := pyproject.toml uv.lock $(wildcard contracts/pyproject.toml services/*/pyproject.toml)
# Tests wait more than they work: four files at a time take a third of the time on two cores.
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder
FAST := tests/unit tests/model tests/contract tests/architecture

WORKERS ?= 1
ARGS ?=
ONLY ?=
BENCH_OUT ?= .fleet/bench

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- run
.PHONY: up demo
up: $(READY) ## Run the whole stack until Ctrl-C (WORKERS=0 leaves the workers to you)
	@$(BIN)/fleet up --workers $(WORKERS)

demo: $(READY) ## See it at work in a minute, against the simulator; ends by itself
	@$(BIN)/fleet demo $(ARGS)

# ---------------------------------------------------------------- test
.PHONY: test test-fast test-all properties check bench-limiter chaos chaos-all soak alerts simulate fuzz
test: $(READY) ## Run every test (ARGS='-k name' picks some; FLEET_TEST_BROKER=4 runs them on RabbitMQ 4)
	@$(BIN)/pytest $(SIDE_BY_SIDE) $(ARGS)

test-fast: $(READY) ## Run the tests that open no socket, in seconds (properties on a quarter of their examples)
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(FAST) -m "not sockets" --hypothesis-profile fast $(ARGS)

properties: $(READY) ## Play the property tests on thousands of random examples; other ones each time
	@$(BIN)/pytest -n 2 --dist loadfile $(FAST) -m "not sockets" --hypothesis-profile others --timeout 0 $(ARGS)

# What a broker or a store in a container can't be asked would be skipped; containers have tests of their own.
test-all: export FLEET_TEST_BROKER ?= here
test-all: export FLEET_TEST_STORE ?= redis
test-all: $(READY) ## Run every test; a skipped one fails the run
	@$(BIN)/pytest $(SIDE_BY_SIDE) --no-skips $(ARGS)

chaos: $(READY) ## Break a fleet under load for some minutes, and say what became of every request
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

bench-limiter: $(READY) ## Measure what the limiter keeps and costs, against its goals (ARGS='soak --calls 1000000')
	@PYTHONPATH=tests:tests/bench $(BIN)/python tests/bench/limiter.py $(ARGS)

chaos-all: $(READY) ## Play every known fault, then fuzz, as long as it takes; goes on where it was (ONLY=name)
	@PYTHONPATH=tests $(BIN)/python -m chaos.catalogue $(ONLY) $(ARGS)
	@$(if $(strip $(ONLY)$(ARGS)),,$(MAKE) fuzz)

alerts: $(READY) ## See every alert fire under its fault, on a real Prometheus; half an hour, needs Docker (ARGS=name)
	@PYTHONPATH=tests $(BIN)/python -m alerts $(ARGS)

simulate: $(READY) ## Play the protocol in simulated time, a thousand seeds (ARGS='--seed 7 --trace', '--mutants')
	@PYTHONPATH=tests $(BIN)/python -m simulation $(ARGS)

soak: $(READY) ## Let a fleet grow and shrink under random faults for two hours: nothing may grow with it
	@PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

fuzz: $(READY) ## Fuzz what reads strangers' bytes, a million inputs each, from where the last run ended
	@PYTHONPATH=tests .ci/bootstrap run --quiet --group fuzz python -m fuzz $(ARGS)

.PHONY: bench profile bench-tools
bench: bench-tools ## Measure every promised figure beside the baselines, some minutes (ONLY=500,short picks some)
	@PYTHONPATH=tests $(BIN)/python -m bench --only "$(ONLY)" --out $(BENCH_OUT)

profile: bench-tools ## Draw a flame graph of a worker under 500 streams
	@PYTHONPATH=tests $(BIN)/python -m bench --profile --out $(BENCH_OUT)

bench-tools: $(READY)
	@.ci/bootstrap sync --locked --quiet --group bench

check: $(READY) ## Lint, format, types, import rules, the printed contracts, and the delivery protocol's model
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/python -m fleet_contracts check
	@$(BIN)/pytest -q tests/model

# ---------------------------------------------------------------- make
.PHONY: contracts chart build sbom format clean
contracts: $(READY) ## Print the contracts anew from their models
	@$(BIN)/python -m fleet_contracts write

chart: $(READY) ## Print the manifests of the chart's examples anew
	@PYTHONPATH=tests $(BIN)/python -m harness.print_chart

build: $(READY) ## Build every package into dist/, all of one version (.ci/version shows and sets it)
	@.ci/bootstrap build --all-packages --quiet --clear --out-dir dist

sbom: ## List what the image installs, with hashes, in dist/sbom.cdx.json (CycloneDX 1.5)
	@mkdir -p dist
	@.ci/bootstrap export --quiet --preview-features sbom-export --format cyclonedx1.5 --frozen --no-dev \
		--package deepseek-fleet-cli --extra tracing --extra tokenizer --output-file dist/sbom.cdx.json

format: $(READY) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

clean: ## Remove what was built here (the cache folder stays)
	@rm -rf .venv dist .fleet .fuzz .ruff_cache .import_linter_cache .hypothesis
	@find contracts services tests -name __pycache__ -prune -exec rm -rf {} +

$(READY): $(PROJECTS) .ci/bootstrap
	@.ci/bootstrap
	@touch $@
