# make run    environment, demo volumes if absent, the app in a browser
# make test   environment, lint, types, all tests
# make check  all but the browser tests
# make bench  side-by-side benchmarks, JSON in bench/out
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

.PHONY: run test check bench clean

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: .venv/run
	$(BIN)/python -m mitoem demo
	@echo "MitoEM explorer: http://127.0.0.1:$(PORT)"
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

check: .venv/dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -m "not browser" -n 2 --dist loadscope

test: .venv/dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest -m "not browser" -n 2 --dist loadscope
	$(BIN)/python -m pytest -m browser

bench: .venv/dev
	for one in bench/*.py; do $(BIN)/python -m bench.$$(basename $$one .py) || exit 1; done

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
