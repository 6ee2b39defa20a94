# One line a verb; `.ci/run` calls the same ones. Everything is installed into .venv on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FIRST ?= 1
SEEDS ?= 1000
KILLS ?= 40

.PHONY: greeter test simulate crashes engines matrix check bench protos format clean

greeter: $(VENV)/.all ## the greeter on the embedded runtime, killed in the middle
	$(BIN)/python examples/greeter/demo.py

test: $(VENV)/.test .venv-upstream/.done ## all tests
	$(BIN)/python -m pytest

simulate: $(VENV)/.test ## the runtime in simulated worlds: SEEDS=N of them, or SEED=n and what happens in it
	$(BIN)/python -m tests.tools.simulation --first $(FIRST) $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

crashes: $(VENV)/.test ## real processes killed, KILLS=N times each: in process, edited, by HTTP, with a remote endpoint
	KILLS=$(KILLS) $(BIN)/python -m pytest -q tests/runtime/test_crashes.py tests/cli/test_run_survives_kills.py

engines: $(VENV)/.engines ## the scenarios on the real engines, and what only they can show; needs Java and Maven
	$(BIN)/python -m tests.tools.lab
	$(BIN)/python -m pytest -v -m engines

matrix: .venv-oldest/.done .venv-newest/.done .venv-upstream/.done ## oldest and newest versions
	.venv-oldest/bin/python -m pytest -q
	.venv-newest/bin/python -m pytest -q

check: $(VENV)/.check ## formatter, linter, types, architecture, freshness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/generate_protos.py --check
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: $(VENV)/.test .venv-upstream/.done ## every figure against a peer, in the same run
	$(BIN)/python -m bench

protos: $(VENV)/.protos ## regenerate statefun/sdk/_proto from protos/
	$(BIN)/python tools/generate_protos.py

format: $(VENV)/.check ## let the formatter and the linter mend what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

.venv-upstream/.done: ## the old SDK, in an environment of its own, for comparison
	$(PYTHON) -m venv .venv-upstream
	.venv-upstream/bin/pip install --quiet --disable-pip-version-check \
		flink-statefun==3.5.0 'protobuf>=7.36,<8' aiohttp
	@touch $@

.venv-oldest/.done: pyproject.toml ## the oldest Python here with the oldest protobuf
	$$($(PYTHON) tools/interpreters.py oldest) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --disable-pip-version-check -e '.[test]' 'protobuf==4.25.0'
	@touch $@

.venv-newest/.done: pyproject.toml ## the newest Python here with the newest protobuf
	$$($(PYTHON) tools/interpreters.py newest) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --disable-pip-version-check -e '.[test]' 'protobuf>=7'
	@touch $@
