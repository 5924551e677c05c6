# make reproduce: the paper's study into results/.   make test: everything that is checked.   Each makes its own environment.
PYTHON ?= python3
VENV ?= .venv
OUT ?= results
BIN = $(VENV)/bin
PIP = PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: reproduce experiments bench test mutation docs clean
.DELETE_ON_ERROR:

reproduce: $(VENV)/run.stamp
	$(BIN)/tdu reproduce --out $(OUT)

# The committed results, figures and docs/reproduction.md, from a run of the whole study.
docs: reproduce
	cp $(OUT)/results.json docs/results.json
	cp $(OUT)/figures/dimension.png $(OUT)/figures/gini.png $(OUT)/figures/nulls.png docs/images/
	$(BIN)/python docs/render.py

# Every question of experiments/ answered again, modadd in most of an hour, the others in minutes; `tdu run` answers one.
experiments: $(VENV)/run.stamp
	for plan in experiments/*/experiment.toml; do $(BIN)/tdu run $$plan || exit 1; done

# Throughput beside C and what else one would use; LONG=--long for a hundred million sites.
bench: $(VENV)/bench.stamp
	$(BIN)/python bench/run.py $(LONG)

test: $(VENV)/test.stamp
	scripts/debian-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest tests/kernels -m "not compiled"
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest tests/kernels

# Mutates the analysis, statistics and nulls, and says what no test noticed (tests/mutation): most of an hour on two
# busy cores. One thread each: OpenMP, which igraph's fits use, hangs in a process that was forked after it had begun.
mutation: $(VENV)/mutation.stamp
	rm -rf mutants
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2
	$(BIN)/python -m tests.mutation

$(VENV)/run.stamp: constraints.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'tdu needs Python 3.11 or newer: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo 'no venv module: on Debian, apt-get install python3-venv'; exit 1; }
	$(PIP) --editable .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[test]'
	touch $@

$(VENV)/mutation.stamp: $(VENV)/test.stamp
	$(PIP) --editable '.[test,mutation]'
	touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) $(OUT) mutants
