# Each target makes the environment that it needs, then does its work.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two threads unless the caller says otherwise: small matrices gain nothing from more.
export OMP_NUM_THREADS ?= 2
# Threads that wait sleep: beside other jobs, spinning ones slow training tenfold.
export OMP_WAIT_POLICY ?= passive

.PHONY: demo test lint bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	@touch $@

# make demo TEXT='reading words aloud' predicts the map of that text; it goes through the
# environment, so that an apostrophe in it stays one.
export TEXT
demo: $(VENV)/.installed
	$(BIN)/neurocontext demo $(if $(TEXT),--text "$$TEXT")

test: $(VENV)/.installed
	$(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell --skip '*.json' sklearn_neurocontext tests examples benchmarks docs README.md
	$(BIN)/lint-imports

# The two tables of methods, from titles and from counts of terms.
bench: $(VENV)/.installed
	$(BIN)/python benchmarks/retrieval.py methods titles
	$(BIN)/python benchmarks/retrieval.py methods counts

clean:
	rm -rf $(VENV) demo_output fit_output retrieval_output build dist *.egg-info
