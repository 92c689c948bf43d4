# ravl: `make demo` shows what it does, `make test` (= `make check`) is what CI runs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# The tests start Python often: what it compiled once stays beside the source, as is usual.
TESTS  := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1
# Unit tests that fit nothing and start no server of ravl.
FAST   := tests/data tests/evaluation tests/retrieval tests/models tests/project

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types fast pytest test-slow test-browser lowest docs wheel bench clean

help:            ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

$(READY): pyproject.toml src/ravl/_version.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

setup: $(READY)  ## make the virtual environment and install ravl in it

demo: $(READY)   ## the main job on real pictures (PICTURES=dir for your own); writes demo/index.html
	$(BIN)/ravl demo $(if $(PICTURES),--pictures "$(PICTURES)")

test: lint types pytest  ## set up, then everything that must pass: what CI runs

check: test      ## the same as test

format: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)   ## the formatter's check, the linter, and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY)  ## the types, by mypy in strict mode
	$(BIN)/mypy

fast: $(READY)   ## unit tests alone, in under a minute: for the moment between two changes
	$(TESTS) $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow and not browser" \
		--ignore tests/models/generation $(FAST)

pytest: $(READY) ## all tests but the slow ones and those of the page
	$(TESTS) $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow and not browser"

test-slow: $(READY) ## the slow suites: wheel in an empty environment, kill -9 loops, the demo
	$(BIN)/python -m pytest -q -m slow

test-browser: $(READY) ## the web page in Chromium (apt-get install chromium), skipped where it is missing
	$(BIN)/python -m pytest -q -m browser tests/serving/page

lowest:          ## all tests with the lowest versions that pyproject.toml allows, in an environment of their own
	$(PYTHON) -m venv $(VENV)-lowest
	$(PYTHON) scripts/lowest_versions.py > $(VENV)-lowest/constraints.txt
	$(VENV)-lowest/bin/python -m pip install --quiet --constraint $(VENV)-lowest/constraints.txt --editable ".[dev]"
	$(TESTS) $(VENV)-lowest/bin/python -m pytest -q -n auto --dist loadfile -m "not slow and not browser"

docs: $(READY)   ## build the documentation into build/docs/, warnings being errors
	$(BIN)/sphinx-build -E -W --keep-going -q docs build/docs

wheel: $(READY)  ## build the wheel and the sdist into dist/
	$(BIN)/python -m build

bench: $(READY)  ## measure speed and quality: about six hours on two quiet cores; one of them: python -m benchmarks NAME
	$(BIN)/python -m benchmarks

clean:           ## remove what the targets above made
	rm -rf $(VENV) $(VENV)-lowest build dist demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
