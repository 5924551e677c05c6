# make reproduce: the paper's study into results/.   make test: everything that is checked.   make check: what a minute checks.
# Each makes its own environment.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
OUT ?= results
BIN = $(VENV)/bin
PIP = PIP_CONSTRAINT=$(CONSTRAINTS) $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
PYTEST = $(BIN)/python -m pytest
PARALLEL = -n auto --dist worksteal
# Python's own files are compiled once, whatever the caller's environment says: tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE =

.PHONY: reproduce experiments bench test environments check lint site suite kernels interpreted checked oldest versions test-pythons test-torch beside-torch mutation torture dist test-sdist release docs clean
.DELETE_ON_ERROR:

reproduce: $(VENV)/run.stamp
	$(BIN)/tdu reproduce --out $(OUT)

# The committed results, figures and docs/reproduction.md, from a run of the whole study.
docs: reproduce
	cp $(OUT)/results.json docs/results.json
	cp $(OUT)/figures/dimension.png $(OUT)/figures/gini.png $(OUT)/figures/nulls.png docs/images/
	$(BIN)/python docs/render.py

# Every question of experiments/ answered again, modadd in an hour or two, the others in minutes; `tdu run` answers one.
experiments: $(VENV)/run.stamp
	for plan in experiments/*/experiment.toml; do $(BIN)/tdu run $$plan || exit 1; done

# Throughput beside C and what else one would use; LONG=--long for a hundred million sites.
bench: $(VENV)/bench.stamp
	$(BIN)/python bench/run.py $(LONG)

# Types are checked by one processor, and pages are made mostly by one: after the types, interpreted kernels keep the other busy.
test: environments $(VENV)/lint.stamp $(VENV)/site.stamp $(VENV)/test.stamp
	$(MAKE) --no-print-directory --jobs=2 lint site interpreted
	$(MAKE) --no-print-directory suite checked oldest

# What `make test` needs, side by side: downloading and unpacking leave a core idle. What fails here is tried again, and said, by
# the target that needs it.
environments:
	scripts/debian-packages & \
	$(MAKE) --no-print-directory $(OLDEST) $(VENV)-oldest/at-once.stamp EXTRAS=test MADE='run test' & \
	$(MAKE) --no-print-directory $(VENV)/at-once.stamp \
	  EXTRAS=test,readers,parquet,browser,dask,mpi,lint,site MADE='run test readers browser clusters lint site'; wait

# What daily work wants to know within a minute; `make test` stays the gate.
check: lint $(VENV)/readers.stamp
	$(PYTEST) $(PARALLEL) -m "not slow and not statistical and not torch"

lint: $(VENV)/lint.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# All pages, with the reference and the notebooks executed, into docs/_build/html; a warning is an error. The tests read them.
site: $(VENV)/site.stamp
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --jobs 2 \
	  --doctree-dir docs/_build/doctrees --conf-dir docs . docs/_build/html

suite: $(VENV)/readers.stamp $(VENV)/browser.stamp $(VENV)/clusters.stamp
	scripts/debian-packages
	$(PYTEST) $(PARALLEL)

KERNELS = tests/kernels tests/test_threads.py tests/test_tuning.py
# A quarter of the examples: the suite has had all of them from the kernels as everybody runs them.
BRIEF = --hypothesis-profile=brief

kernels: interpreted checked

interpreted: $(VENV)/test.stamp
	NUMBA_DISABLE_JIT=1 $(PYTEST) $(PARALLEL) $(BRIEF) $(KERNELS) -m "not compiled and not slow"

checked: $(VENV)/test.stamp
	NUMBA_BOUNDSCHECK=1 $(PYTEST) $(PARALLEL) $(BRIEF) $(KERNELS) -m "not slow"

# The oldest versions that setup.cfg admits, in an environment of their own.
OLDEST = VENV=$(VENV)-oldest CONSTRAINTS=constraints-oldest.txt

oldest:
	$(MAKE) $(OLDEST) versions

# What any set of versions must pass: the command line, the kernels, a quick study.
versions: $(VENV)/test.stamp
	NUMBA_CACHE_DIR=$(abspath $(VENV))/numba $(PYTEST) $(PARALLEL) $(BRIEF) tests/test_cli.py tests/kernels -m "not slow"
	rm -rf $(VENV)/quick
	NUMBA_CACHE_DIR=$(abspath $(VENV))/numba $(BIN)/tdu reproduce --quick --out $(VENV)/quick

# That, with the oldest versions and with those of constraints.txt, on every Python from 3.11 on PATH.
test-pythons:
	scripts/test-pythons

# What would be published, source and wheel, into dist/; the page of the package is checked too.
dist: $(VENV)/dist.stamp
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

# What a release is, and that it works: source and wheel, each installed into an empty environment, where a quick study runs.
release: dist
	scripts/try-release $(PYTHON) dist/*

# All of `make test` from the unpacked source distribution, in an environment of its own and outside any checkout.
test-sdist: dist
	unpacked=$$(mktemp -d) && tar -xzf dist/*.tar.gz -C $$unpacked --strip-components=1 && \
	  $(MAKE) -C $$unpacked test VENV=.venv && rm -rf $$unpacked

# Networks and optimisers beside PyTorch itself, in an environment of its own: `make test` has only the vectors it made.
test-torch:
	$(MAKE) --no-print-directory VENV=$(VENV)-torch beside-torch

beside-torch: $(VENV)/torch.stamp
	$(PYTEST) tests/test_torch.py tests/sources/test_pytorch.py tests/test_char_lm.py tests/test_own_runs.py -m torch

$(VENV)/torch.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[test,torch,frameworks]'
	touch $@

# Mutates the analysis, statistics and nulls, and says what no test noticed (tests/mutation): most of an hour on two
# busy cores. One thread each: OpenMP, which igraph's fits use, hangs in a process that was forked after it had begun.
mutation: $(VENV)/mutation.stamp
	rm -rf mutants
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2
	$(BIN)/python -m tests.mutation

# Kills at random moments, full disks, crowds, damage, anything as an argument (tests/torture): within half an hour on two cores.
torture: $(VENV)/test.stamp
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.torture
	$(BIN)/python docs/render.py

# What all of them begin with: a new environment, on a Python that will do.
define empty-environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo 'tdu needs Python 3.11 or newer: make PYTHON=/path/to/python3.11'; exit 1; }
$(PYTHON) -m venv $(VENV) || { echo 'no venv module: on Debian, apt-get install python3-venv'; exit 1; }
endef

$(VENV)/run.stamp: $(CONSTRAINTS) setup.cfg pyproject.toml
	$(empty-environment)
	$(PIP) --editable .
	touch $@

# Several EXTRAS at once, since each alone resolves everything again; MADE are the stamps of what they are for. Where one of
# them has no build, the rules below say which.
$(VENV)/at-once.stamp: $(CONSTRAINTS) setup.cfg pyproject.toml
	$(empty-environment)
	if $(PIP) --only-binary duckdb,greenlet,mpi4py,pandas,playwright,polars,pyarrow --editable '.[$(EXTRAS)]'; then \
	  touch $(MADE:%=$(VENV)/%.stamp); fi
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[test]'
	touch $@

# What reads an exported log back. Of the oldest versions only tdu's own count; where there is no build, the tests say so.
$(VENV)/readers.stamp: $(VENV)/test.stamp
	if $(PIP) --only-binary duckdb,pandas,polars,pyarrow --editable '.[test,parquet,readers]'; then touch $@; else \
	  echo 'no build of duckdb, pandas, polars or pyarrow here: exported logs are not read back' >&2; fi

# What looks at report.html in Chromium, which is one of scripts/debian-packages.
$(VENV)/browser.stamp: $(VENV)/test.stamp
	if $(PIP) --only-binary greenlet,playwright --editable '.[test,browser]'; then touch $@; else \
	  echo 'no build of greenlet or playwright here: report.html is not looked at in a browser' >&2; fi

# What the grid runs on beside threads and processes; MPI itself is one of scripts/debian-packages.
$(VENV)/clusters.stamp: $(VENV)/test.stamp
	if $(PIP) --only-binary mpi4py --editable '.[test,dask,mpi]'; then touch $@; else \
	  echo 'no build of distributed or mpi4py here: the grid is not tested on clusters' >&2; fi

$(VENV)/lint.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[lint]'
	touch $@

$(VENV)/site.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[site]'
	touch $@

$(VENV)/dist.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[dist]'
	touch $@

$(VENV)/mutation.stamp: $(VENV)/test.stamp
	$(PIP) --editable '.[test,mutation]'
	touch $@

$(VENV)/bench.stamp: $(VENV)/run.stamp
	$(PIP) --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-* $(OUT) mutants docs/_build
