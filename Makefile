# One line a verb; `.ci/run` calls the same ones. Everything is installed into .venv on first use.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SEEDS ?= 300

.PHONY: greeter test check bench protos format clean

greeter: $(VENV)/.runtime ## the greeter on the embedded runtime, killed in the middle
	$(BIN)/python examples/greeter/demo.py

test: $(VENV)/.test .venv-upstream/.done ## the tests
	$(BIN)/python -m pytest

check: $(VENV)/.check ## formatter, linter, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
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
	.venv-upstream/bin/pip install --quiet --disable-pip-version-check flink-statefun==3.5.0 aiohttp
	@touch $@
