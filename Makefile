# tintflow: every target sets up .venv by itself.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
DATA ?= photos
FOLDER = $(DATA:~/%=$(HOME)/%)# in quotes, where DATA may have spaces, the shell leaves ~ as it is
MINUTES ?= 120
BEFORE ?= 8a7a628
VULNERABILITIES ?= pypi
BASE_IMAGE ?= python:3.12-slim
DOCKER ?= docker
DOCKER_BUILD ?=# more options for building the image
IMAGE ?= tintflow:cpu
BIN := .venv/bin
# not by file: schemathesis's tests share one name, and of these xdist would run one
QUICK := --numprocesses 3 --dist worksteal -m 'not slow and not gpu and not docker and not cluster'
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock'

.PHONY: serve test check audit lock image docker-test cluster-test train eval bench docs dist api format clean

export UV_SYSTEM_CERTS ?= true# as install.py says

.NOTPARALLEL: # all targets share .venv

# what a target needs: .venv/for-serving, or .venv/for- and the name of an extra in pyproject.toml
.venv/for-%: pyproject.toml install.py
	@$(BIN)/python -c 'import pip, tomllib' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -c 'import tomllib' 2>/dev/null || \
	  { echo 'tintflow needs Python 3.11 or later, and $(PYTHON) is older: name another by PYTHON=.' >&2; exit 1; }
	@echo "Installing into .venv; the first time this takes a minute or more."
	$(BIN)/python install.py $(filter-out serving,$*)
	@touch $@

serve: .venv/for-serving  ## serve on http://localhost:$(PORT)
	MALLOC_ARENA_MAX=8 $(BIN)/tintflow serve --port $(PORT)

# Bytecode is kept, also where the environment says otherwise: tests start many programs, and to compile modules anew
# takes each of them seconds.
test: export PYTHONDONTWRITEBYTECODE :=
test: .venv/for-test  ## all tests but the slow, GPU, Docker and cluster ones
	$(BIN)/pytest $(QUICK)

check: .venv/for-dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/kubernetes-validate --strict --quiet --no-warn deploy/*.yaml

lock: .venv/for-serving  ## pin what the images hold
	$(LOCK) --extra otel --group build --output-file docker/requirements.lock pyproject.toml
	$(LOCK) --extra gpu --constraints docker/requirements.lock --excludes docker/requirements.lock \
	  --output-file docker/gpu.lock pyproject.toml
	$(LOCK) --extra ray --constraints docker/requirements.lock --constraints docker/gpu.lock \
	  --excludes docker/requirements.lock --output-file docker/ray.lock pyproject.toml

image:  ## build $(IMAGE), the CPU image
	$(DOCKER) build --target cpu --build-arg BASE_IMAGE=$(BASE_IMAGE) $(DOCKER_BUILD) --tag $(IMAGE) \
	  --file docker/Dockerfile .

docker-test: .venv/for-test image  ## build the CPU image, run it with few rights, and test it
	DOCKER=$(DOCKER) TINTFLOW_IMAGE=$(IMAGE) $(BIN)/pytest -m docker -s -v tests/docker

cluster-test: .venv/for-test  ## serve and work in bulk on a Ray cluster of two nodes on this machine
	$(BIN)/pytest -m cluster -s -v tests/cluster

audit: .venv/for-serving  ## look for known vulnerabilities of what the images hold, in VULNERABILITIES: pypi or osv
	test -x .venv/audit/bin/pip-audit || { $(BIN)/python -m venv .venv/audit && \
	  .venv/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	.venv/audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	  --vulnerability-service $(VULNERABILITIES) $(addprefix --requirement docker/,requirements.lock gpu.lock ray.lock) || \
	  { echo 'Vulnerable, or not to be known: the list of vulnerabilities must be reached over the network.' >&2; exit 1; }

train: .venv/for-train  ## train every level on DATA for MINUTES minutes in all
	$(BIN)/python -m training run --data "$(FOLDER)" --minutes $(MINUTES) --out runs/train --resume

eval: .venv/for-eval  ## measure weights/ on DATA
	$(BIN)/python -m benchmarks.quality --data "$(FOLDER)" --json -

bench: .venv/for-test  ## measure speed, beside peers from PyPI and the commit BEFORE: some 25 minutes; figures in build/benchmarks
	$(BIN)/python -m benchmarks.suite --before $(BEFORE)

docs: .venv/for-test  ## make the pictures of README and docs anew
	$(BIN)/python -m benchmarks.figures.pictures
	$(BIN)/python -m benchmarks.figures.page

dist: .venv/for-dev  ## build wheel and sdist, with the weights, into dist/
	rm -rf build/lib dist
	$(BIN)/uv build --quiet --out-dir dist

api: .venv/for-serving  ## write out what follows from the options: the client's fields, the page's numbers and the tables of docs/api.md
	$(BIN)/python -m service.api.generate

format: .venv/for-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist *.egg-info
