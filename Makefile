# Everything a person or a CI types. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-ray check bench bench-soak bench-peers peers docs golden clean

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed  ## run the quickstart on the embedded simulator
	$(BIN)/llmload apply scenarios/quickstart.yaml

test: .venv/installed  ## every test, with coverage; those that measure run alone, since a busy machine cannot measure
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n 2 -m "not measuring and not cluster" --cov --cov-report= --cov-fail-under=0
	$(BIN)/python -m pytest -m measuring --cov --cov-append

test-ray: .venv/installed  ## the tests that break Ray clusters: nodes that die, nodes with another version
	$(BIN)/python -m pytest -m cluster

check: .venv/installed  ## formatting, lint, types, architecture, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed  ## the numbers of docs/performance.md, measured here
	$(BIN)/python -m tests.bench

bench-soak: .venv/installed  ## a million requests through one pool: what do they leave behind?
	$(BIN)/python -m tests.bench.soak

golden: .venv/installed  ## write the expected outputs of the tests again; review the difference
	$(BIN)/python -m pytest tests/reporters tests/scenario --update-goldens

bench-peers: .venv/installed  ## the same work by other load tools, where `make peers` has installed them
	$(BIN)/python -m tests.bench.peers

peers:  ## the other load tools, each in an environment of its own: some gigabytes
	for peer in guidellm==0.8.1 aiperf==0.13.0 vllm==0.32.0; do \
		$(PYTHON) -m venv .peers/$${peer%%==*} && .peers/$${peer%%==*}/bin/pip install --quiet $$peer; \
	done

docs: .venv/installed  ## generated schemas, and the tables of frameworks
	$(BIN)/llmload schema --write schemas
	$(BIN)/python -m tests.docs.framework_tables

clean:
	rm -rf .venv build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
