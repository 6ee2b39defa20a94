# One line a verb; `.ci/run` calls the same ones. Everything is installed into .venv on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FIRST ?= 1
SEEDS ?= 1000
KILLS ?= 40
REQUESTS ?= 20000
BEFORE ?= a782853
CORES ?= 2
CARGO := $(or $(shell command -v cargo),$(wildcard $(HOME)/.cargo/bin/cargo))
RUSTUP := $(wildcard $(abspath $(dir $(CARGO))../../.rustup)) # where it is, also under another HOME
RUST = PATH="$(dir $(CARGO)):$$PATH" $(if $(RUSTUP),RUSTUP_HOME="$${RUSTUP_HOME:-$(strip $(RUSTUP))}")
export STATEFUN_CORE ?= $(CORE)
TESTS := bin/python -m pytest -n $(CORES)
PIP := bin/pip --quiet --disable-pip-version-check
LOCKED := --require-hashes -r
OURSELVES := --no-deps --no-build-isolation -e . # hatchling is in the locks
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)
SUPPORTED := -c 'import sys; v = sys.version_info; v < (3, 11) and sys.exit("statefun needs Python 3.11 \
or newer, and $(PYTHON) is Python %d.%d: name a newer one, as in make PYTHON=python3.12" % v[:2])'

.PHONY: greeter orders transfer test native fuzz memory wheels simulate simulate-durable simulate-workflows compare-reactive crashes crash-workflows engines matrix check bench protos format lock clean

greeter: $(VENV)/.all ## the greeter on the embedded runtime, killed in the middle
	$(BIN)/python examples/greeter/demo.py

orders: $(VENV)/.all ## a shop of durable handlers; its processes are killed while orders are under way
	$(BIN)/python examples/orders/demo.py

transfer: $(VENV)/.all ## money transfers as workflows; worker and service are killed while they are under way
	$(BIN)/python examples/transfer/demo.py

test: $(VENV)/.test .venv-upstream/.done ## all tests; CORE=python or CORE=native says on which core
	$(VENV)/$(TESTS)

native: $(VENV)/.test $(VENV)/.maturin ## the native core, built into .venv; needs Rust
	@test -n '$(CARGO)' || { echo 'the native core needs Rust, and there is no cargo: see https://rustup.rs'; exit 1; }
	$(RUST) VIRTUAL_ENV=$(abspath $(VENV)) \
		$(BIN)/maturin develop --release --locked --manifest-path native/Cargo.toml
	STATEFUN_CORE=native $(BIN)/statefun --version

fuzz: native ## REQUESTS=N random requests through both cores: byte-equal replies, the same errors
	$(BIN)/python -m tests.tools.fuzz --first $(FIRST) --requests $(REQUESTS)

memory: $(VENV)/.test ## the memory of a process after ten million messages, against one million
	$(BIN)/python -m tests.tools.memory

wheels: $(VENV)/.maturin ## wheels of the package and of the native core, in dist/; the core for PYTHON; needs Rust
	$(VENV)/$(PIP) install $(LOCKED) locks/test.txt
	$(BIN)/pip --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .
	$(RUST) $(BIN)/maturin build --release --locked --strip --out dist \
		--manifest-path native/Cargo.toml --interpreter $(BIN)/python

simulate: $(VENV)/.test ## the runtime in simulated worlds: SEEDS=N of them, or SEED=n and what happens in it
	$(BIN)/python -m tests.tools.simulation --first $(FIRST) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

compare-reactive: $(VENV)/.test .venv-reactive-peer/.done ## SEEDS=N random programs of the state manager, ours and the peer's
	$(BIN)/python -m pytest -m peer tests/unit/reactive
	$(BIN)/python -m tests.tools.reactive.compare --first $(FIRST) --seeds $(SEEDS)

simulate-durable: $(VENV)/.test ## durable handlers in simulated worlds: SEEDS=N of them, or SEED=n
	$(BIN)/python -m tests.tools.durable --first $(FIRST) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

simulate-workflows: $(VENV)/.test ## workflows in simulated worlds: SEEDS=N of them and planted bugs, or SEED=n
	$(BIN)/python -m tests.tools.workflows --first $(FIRST) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))
	$(if $(SEED),,$(BIN)/python -m tests.tools.workflows --bugs)

crashes: $(VENV)/.test ## real processes killed KILLS=N times each, and one with ten thousand connections
	KILLS=$(KILLS) $(BIN)/python -m pytest -v -m 'not engines' tests/runtime/test_crashes.py \
		tests/cli/test_run_survives_kills.py tests/cli/test_durable_survives_kills.py \
		tests/cli/test_many_connections.py

crash-workflows: $(VENV)/.test ## the service of workflows and its workers killed KILLS=N times under load
	KILLS=$(KILLS) $(BIN)/python -m pytest -v tests/cli/test_workflows_survive_kills.py

engines: $(VENV)/.engines ## the scenarios on the real engines, and what only they can show; needs Java and Maven
	$(BIN)/python -m tests.tools.lab
	$(BIN)/python -m pytest -v -m engines

matrix: .venv-oldest/.done .venv-newest/.done .venv-upstream/.done ## oldest and newest of Python and of every dependency
	.venv-oldest/$(TESTS)
	.venv-newest/$(TESTS)

check: $(VENV)/.check ## formatter, linter, types, architecture, freshness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python tools/type_pages.py
	$(BIN)/python tools/generate_protos.py --check
	$(BIN)/python -m pytest -q tests/test_architecture.py

PEERS := upstream reactive-peer before restate dbos temporal
bench: $(VENV)/.test $(PEERS:%=.venv-%/.done) ## every figure against a peer, in the same run
	$(BIN)/python -m bench

protos: $(VENV)/.protos ## regenerate what protos/ becomes in statefun/
	$(BIN)/python tools/generate_protos.py

format: $(VENV)/.check ## let the formatter and the linter mend what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.uv ## write locks/ anew and keep the pins that still fit; UPGRADE=1 takes the newest of everything
	for extra in all test check engines protos; do \
		$(COMPILE) pyproject.toml --extra $$extra --group build -o locks/$$extra.txt || exit; done
	$(COMPILE) pyproject.toml --extra test --group build --resolution lowest-direct --upgrade -o locks/oldest.txt
	for group in uv native upstream reactive-peer restate dbos temporal; do \
		$(COMPILE) --group $$group -o locks/$$group.txt || exit; done

clean:
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) $(SUPPORTED)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.uv: locks/uv.txt | $(VENV)/bin/python
	$(VENV)/$(PIP) install $(LOCKED) $<
	@touch $@

$(VENV)/.maturin: locks/native.txt | $(VENV)/bin/python
	$(VENV)/$(PIP) install $(LOCKED) $<
	@touch $@

$(VENV)/.%: locks/%.txt pyproject.toml | $(VENV)/bin/python
	$(VENV)/$(PIP) install $(LOCKED) $<
	$(VENV)/$(PIP) install $(OURSELVES)
	@touch $@

.venv-upstream/.done: locks/upstream.txt ## the old SDK, in an environment of its own, for comparison
	@$(PYTHON) $(SUPPORTED)
	$(PYTHON) -m venv .venv-upstream
	.venv-upstream/$(PIP) install $(LOCKED) $<
	@touch $@

.venv-reactive-peer/.done: locks/reactive-peer.txt ## the state manager that ours is compared with; it needs Python 3.12
	$$($(PYTHON) tools/interpreters.py 3.12) -m venv .venv-reactive-peer
	.venv-reactive-peer/$(PIP) install $(LOCKED) $<
	@touch $@

.venv-before/.done: ## an earlier build (BEFORE=revision) in an environment of its own, for comparison
	$(PYTHON) -m venv .venv-before
	git archive --prefix=source/ $(BEFORE) | tar -x -C .venv-before
	.venv-before/$(PIP) install './.venv-before/source[all]'
	@touch $@

.venv-restate/.done: locks/restate.txt ## Restate's server and Python SDK, for comparison; the server comes from npm
	$(PYTHON) -m venv .venv-restate
	.venv-restate/$(PIP) install $(LOCKED) $<
	npm install --silent --prefix .venv-restate @restatedev/restate-server@1.7.12 || echo 'not measured: Restate'
	@touch $@

.venv-dbos/.done: locks/dbos.txt ## DBOS, in an environment of its own, for comparison
	$(PYTHON) -m venv .venv-dbos
	.venv-dbos/$(PIP) install $(LOCKED) $<
	@touch $@

.venv-temporal/.done: locks/temporal.txt ## Temporal's Python SDK and development server, for comparison; the server needs Go
	$(PYTHON) -m venv .venv-temporal
	.venv-temporal/$(PIP) install $(LOCKED) $<
	GOBIN=$(abspath .venv-temporal/bin) go install github.com/temporalio/cli/cmd/temporal@v1.5.1 || echo 'not measured: Temporal'
	@touch $@

.venv-oldest/.done: locks/oldest.txt pyproject.toml ## the oldest Python here, the oldest of what we ask for
	$$($(PYTHON) tools/interpreters.py oldest) -m venv .venv-oldest
	.venv-oldest/$(PIP) install $(LOCKED) $<
	.venv-oldest/$(PIP) install $(OURSELVES)
	@touch $@

.PHONY: .venv-newest/.done
.venv-newest/.done: ## the newest Python here, and what is newest today; with FROZEN=1, what was at `make lock`
	$$($(PYTHON) tools/interpreters.py newest) -m venv .venv-newest
ifdef FROZEN
	.venv-newest/$(PIP) install $(LOCKED) locks/test.txt
	.venv-newest/$(PIP) install $(OURSELVES)
else
	.venv-newest/$(PIP) install --upgrade --upgrade-strategy eager -e '.[test]'
endif
