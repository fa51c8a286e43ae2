# Each target first creates the environment that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two threads by default: small matrices gain nothing from more.
export OMP_NUM_THREADS ?= 2
# Waiting threads sleep: beside other jobs, busy waiting slows training tenfold.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test lint docs bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	@touch $@

# make demo TEXT='reading words aloud' predicts the map of that text. It is passed through
# the environment, so that an apostrophe needs no escaping.
export TEXT
demo: $(VENV)/.installed
	$(BIN)/neurocontext demo $(if $(TEXT),--text "$$TEXT")

# Two processes with one thread each; all tests of a file run in the same process.
test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

# Files that are not yet added to git are checked too.
NEW_TOO := --cached --others --exclude-standard
lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell $$(git ls-files $(NEW_TOO) '*.py' '*.md' '*.html' '*.toml' '*.cfg' '*.yml')
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(git ls-files $(NEW_TOO) 'sklearn_neurocontext/*.py')
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_docstrings.py

# The site, in docs/_build/html. Warnings are errors, and missing targets are warnings. The
# last line checks the built pages.
docs: $(VENV)/.docs_installed
	rm -rf docs/api/generated  # may contain pages of names that no longer exist
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	NEUROCONTEXT_SITE=docs/_build/html $(BIN)/python -m pytest -q -p no:cacheprovider tests/test_site.py
	@echo 'Open docs/_build/html/index.html in a browser.'

$(VENV)/.docs_installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

# Estimators on titles, and on NeuroQuery's counts of terms.
bench: $(VENV)/.installed
	$(BIN)/neurocontext reproduce table1 --text-fields title
	$(BIN)/neurocontext reproduce table1 --text-fields counts --corpus neuroquery

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .tox build dist *.egg-info
	rm -rf docs/_build docs/_static/maps docs/api/examples docs/api/generated docs/auto_examples
	rm -rf demo_output fit_output benchmark_output reproduce_output bench_masker htmlcov .coverage coverage.xml
