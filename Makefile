# make demo   train a Split-VAE on the digits that scikit-learn carries and write its report
# make test   lint, format, types and tests
# make docs   build the documentation's site in build/site
# make bench  run all benchmarks beside their peers (17 minutes on 2 cores) and write benchmarks/RESULTS.md

PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test docs bench clean

demo: .venv/installed
	$(BIN)/splitvae train digits-svae --out runs/demo --resume --no-report
	$(BIN)/splitvae evaluate runs/demo --protocol clean
	$(BIN)/splitvae figures runs/demo
	$(BIN)/splitvae report runs/demo

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 GOMP_SPINCOUNT=10000 $(BIN)/python -m pytest -n auto --dist worksteal

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open build/site/index.html."

bench: .venv-bench/installed
	.venv-bench/bin/python benchmarks/run_all.py

.venv/bin/python .venv-bench/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "splitvae needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(@:/bin/python=)

# torch goes first and exactly: a range would fetch gigabytes of another build.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

# An environment of its own: TensorFlow needs an older h5py than constraints.txt names, and 3 GB.
.venv-bench/installed: pyproject.toml constraints.txt | .venv-bench/bin/python
	grep -v '^h5py==' constraints.txt > .venv-bench/constraints.txt
	.venv-bench/bin/pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --constraint .venv-bench/constraints.txt --editable '.[bench]'
	@touch $@

clean:
	rm -rf .venv .venv-bench runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache
