# Commands for readers and contributors; `make help` lists them. GNU make 3.81 (macOS) or later.

PYTHON_RUN := .venv/bin/python
# One thread is three times faster than two for nets of this size, and no progress bar belongs in an output.
QUIET_RUN := OMP_NUM_THREADS=1 TQDM_DISABLE=1 $(PYTHON_RUN)
PORT ?= 8000
TESTS ?= chapters tests

.PHONY: help setup book test execute full shake numbers lab serve bench address lock clean
.DEFAULT_GOAL := help

help: ## list these commands
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

setup: ## make or renew the environment (.venv); PYTHON=... chooses the interpreter
	@sh scripts/environment.sh

book: setup ## build the pages into _build/html, from the committed outputs
	@.venv/bin/jupyter-book build --all -W -n --keep-going -q .
	@echo "The book: $(CURDIR)/_build/html/index.html"

test: setup ## lint, run the tests and execute every notebook; TESTS=... for a part
	@.venv/bin/ruff check --quiet .
	@$(QUIET_RUN) -m pytest $(TESTS)

execute: setup ## run the notebooks and store fresh outputs; CHAPTER=foundations/linear-model for one
	@$(QUIET_RUN) scripts/execute.py $(CHAPTER)

full: setup ## run notebooks at full size into _build/full, and record that; CHAPTER=... for one
	@TQDM_DISABLE=1 $(PYTHON_RUN) scripts/execute.py --full $(CHAPTER)

shake: setup ## run notebooks under other arithmetic, or with SHIFTS="1000 2000" under other seeds; CHAPTER=... for one
	@TQDM_DISABLE=1 $(PYTHON_RUN) scripts/shake.py $(CHAPTER) $(if $(SHIFTS),--shifts $(SHIFTS))

numbers: setup ## list numbers in the text that no output bears any more; CHAPTER=... for one
	@$(PYTHON_RUN) scripts/prose_numbers.py $(CHAPTER)

lab: setup ## open the chapters in JupyterLab
	@.venv/bin/jupyter lab chapters

serve: ## show the built pages at http://127.0.0.1:8000; PORT=... for another port
	@test -f _build/html/index.html || { echo "no pages yet: run make book first" >&2; exit 1; }
	@$(PYTHON_RUN) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

bench: setup ## time the training loop beside its peers
	@OMP_NUM_THREADS=1 $(PYTHON_RUN) benchmarks/train_loop.py

address: setup ## write the repository's address everywhere: URL=https://... [REVISION=tag or commit]
	@test -n "$(URL)" || { echo "address: say which, as in make address URL=https://..." >&2; exit 1; }
	@$(PYTHON_RUN) scripts/address.py $(URL) $(REVISION)

lock: $(if $(wildcard .venv/complete),,setup) ## requirements.in to requirements.txt; LOCK=--upgrade or LOCK=--newest for newer versions
	@$(PYTHON_RUN) scripts/lock.py $(LOCK)

clean: ## delete what was built (not .venv: rm -rf .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
