# make run    environment, demo volumes if absent, the app in a browser
# make test   environment, lint, types, all tests
# make check  all but the browser tests
# make bench  the long versions of tests, side-by-side benchmarks with JSON in bench/out
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

.PHONY: run test check bench clean

# By uv where it can, which takes a third of the time; by plain pip where it cannot.
define install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 \
	    && $(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python -r $(1) \
	    || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1)
	@touch $@
endef

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(call install,requirements.txt)

.venv/dev: .venv/run requirements-dev.txt
	$(call install,requirements-dev.txt)

run: .venv/run
	$(BIN)/python -m mitoem demo
	@echo "MitoEM explorer: http://127.0.0.1:$(PORT)"
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

check: .venv/dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -m "not browser" -n 3 --dist loadscope

test: check
	$(BIN)/python -m pytest -m "browser and not long" -n 2 --dist loadscope

bench: .venv/dev
	$(BIN)/python -m pytest -m long
	MITOEM_FUZZ=1000 $(BIN)/python -m pytest tests/server/test_openapi.py
	MITOEM_KILLS=12 MITOEM_FAULTS=all $(BIN)/python -m pytest -n 2 tests/test_kills.py tests/test_faults.py \
	    tests/test_hung_stores.py tests/test_cluster_faults.py
	for one in bench/*.py; do $(BIN)/python -m bench.$$(basename $$one .py) || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
