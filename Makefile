# make demo: the main job on shipped material.  make test: the whole suite.  Both do all the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test setup clean

setup: $(VENV)/ready

$(VENV)/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/testing: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

demo: setup
	$(BIN)/ampwright demo --output demo

test: $(VENV)/testing
	@command -v ngspice >/dev/null || echo "ngspice is not installed: the stored golden results stand in for it"
	$(BIN)/python -m circuits.nodal.selected
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

clean:
	rm -rf $(VENV) build dist demo *.egg-info
