# Everything below runs in .venv, which is made when it is missing or when what is installed in it has changed.
PYTHON ?= python3
BIN := .venv/bin
QUICK := not gpu and not slow
# The tests of the rooms that decide: their coverage is measured, see pyproject.toml.
DECIDING := tests/lr tests/planner tests/record tests/verdict
# The tests that start whole commands, and wait for them.
COMMANDS := tests/end_to_end tests/docker

.DEFAULT_GOAL := help
.PHONY: help search ui test with-ray without-ray commands deciding lint reference docs format gpu wheel clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

search: .venv/.installed  ## the main job on the built-in digits: about a minute
	$(BIN)/python -m superconv_tune.search

ui: .venv/.installed  ## the MLflow UI on everything searched so far, at http://127.0.0.1:5000
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --backend-store-uri sqlite:///runs/mlflow.db --host 127.0.0.1 --workers 1

test: .venv/.installed  ## what has to be green
	@$(MAKE) --no-print-directory --jobs 2 with-ray without-ray commands deciding lint  # two at once: some wait more than they compute
	@$(BIN)/coverage json --quiet -o .coverage.json
	@$(BIN)/python -m tests.coverage_of_rooms .coverage.json

with-ray: .venv/.installed
	$(BIN)/pytest -m "ray and $(QUICK)"

without-ray: .venv/.installed
	$(BIN)/pytest -m "not ray and $(QUICK)" $(addprefix --ignore=,$(DECIDING) $(COMMANDS))

commands: .venv/.installed
	$(BIN)/pytest -m "not ray and $(QUICK)" $(COMMANDS)

deciding: .venv/.installed  # heavy simulations are marked no_cover: what they reach others reach too
	$(BIN)/pytest -m "not ray and $(QUICK)" --cov --cov-report= $(DECIDING)

lint: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory docs

reference: .venv/.installed  ## the JSON schema and the pages of docs/reference that are made from the code
	$(BIN)/python -m superconv_tune.spec.json_schema
	$(BIN)/python -m docs.tools.reference

docs: .venv/.installed  ## the site of docs/, into build/site
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --strict

format: .venv/.installed  ## write the code as ruff likes it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gpu: .venv/.installed  ## whether everything works on the GPU of this machine, and how fast: under eight minutes
	$(BIN)/python -m benchmarks.gpu

wheel: .venv/.installed  ## wheel and sdist, into dist/
	$(BIN)/python -m build

clean:  ## forget the environment and what was built; runs/ stays
	rm -rf .venv build dist *.egg-info
