# `make` lists the targets. Each of them works in a fresh clone: what is missing is set up first.
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The first of these that is new enough; `make setup PYTHON=/path/to/python` names another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$python; break; fi; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# On Linux pip takes the torch that was built for CUDA (several GB more). For the CPU build, set PIP_EXTRA_INDEX_URL,
# which pip reads itself, to PyTorch's own package index for the CPU; PyTorch's installation page names it.
BIN := .venv/bin
READY := .venv/.ready
LOCK_ENVIRONMENT := .venv-lock
# No local versions and no CUDA packages: torch's build is the platform's choice.
PINNED = $(LOCK_ENVIRONMENT)/bin/pip freeze --exclude-editable | sed 's/+.*//' | grep -viE '^(nvidia-|cuda-|triton)' | LC_ALL=C sort
# The first that installs dependency groups.
PIP := pip>=25.1
# DVC projects of their own.
EXPERIMENTS := experiments/record experiments/comparison
PROJECTS := $(EXPERIMENTS) book

# Stages call `python`: it must be the one with everything installed.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# `notes` is run from the repository; only the tool is installed.
export PYTHONPATH := $(CURDIR)/src
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: $(READY) ## Create .venv and install everything (done by the other targets when it is needed)

# A virtual environment and DVC's local settings hold absolute paths: in a folder that was moved they are made anew.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif
$(READY): pyproject.toml requirements.lock requirements-tools.lock
	@command -v git >/dev/null || { echo "git is missing: install it, then run make again." >&2; exit 1; }
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "Python 3.11 or newer is missing: install it, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@! test -e $(READY) || grep -qxF "$(CURDIR)" $(READY) || rm -rf .venv
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv .venv
	$(BIN)/pip install --disable-pip-version-check '$(PIP)'
	$(BIN)/pip install -c requirements.lock -c requirements-tools.lock -e '.[dask,export,new,ray,sweep]' --group notes --group book --group dev
	@# DVC's own default is one folder for all users of the machine, which it unpickles from.
	@for project in "$(CURDIR)" $(addprefix "$(CURDIR)"/,$(PROJECTS)); do \
		mkdir -p "$$project/.dvc/tmp/site_cache" && chmod 700 "$$project/.dvc/tmp/site_cache" && cd "$$project" && \
		"$(CURDIR)/$(BIN)/dvc" config --quiet --local core.site_cache_dir "$$project/.dvc/tmp/site_cache" || exit 1; done
	@# Here, so that no stage has to wait for the migrations of MLflow's new store.
	@$(BIN)/python -c "from pathlib import Path; from provenn.view.store import open_embedded; open_embedded(Path('mlruns/mlflow.db').resolve())"
	@echo "$(CURDIR)" > $(READY)

.PHONY: repro
repro: $(READY) ## Run every stage whose data, parameters or code changed; say what to look at next
	$(BIN)/provenn repro
	@$(BIN)/python -m notes summary

.PHONY: check-repro
check-repro: $(READY) ## Fail if `dvc repro` still has a stage to run
	@log=$$($(BIN)/dvc repro 2>&1) || { echo "$$log" >&2; exit 1; }; \
	if echo "$$log" | grep -E "^(Running stage|Stage .* is cached)"; then \
		echo "dvc repro still had the stages above to run, although it had just been run." >&2; exit 1; fi; \
	echo "dvc repro ran no stage: everything is up to date."

.PHONY: check-studies
check-studies: $(READY) ## Fail if docs/studies.md does not show the results of the studies
	@$(BIN)/python -m notes studies --check

.PHONY: bench
bench: $(READY) ## Measure speed, and write docs/performance.md from it (on a machine without other work)
	$(BIN)/python benchmarks/run.py

.PHONY: record
record: $(READY) ## Train the networks of experiments/record, five seeds each (half an hour on 2 cores with bfloat16), and judge them
	cd experiments/record && "$(CURDIR)/$(BIN)/provenn" repro

.PHONY: compare
compare: $(READY) ## Train the networks of experiments/comparison and MLPClassifier, five seeds each on two data sets, and compare
	cd experiments/comparison && "$(CURDIR)/$(BIN)/provenn" repro

.PHONY: portable
portable: $(READY) ## Fail if a shrunk pipeline gives other bytes on an emulated processor of another vendor (needs qemu-user)
	@$(BIN)/provenn repro download_mnist
	@$(BIN)/python tests/portability/check.py

.PHONY: gate
gate: $(READY) ## Fail if a metric is worse than gate.yaml promises
	$(BIN)/provenn gate

.PHONY: deps
deps: $(READY) ## Fail if a stage imports a file that it does not declare
	@$(BIN)/provenn deps --check --ignore src/notes/params

.PHONY: dag
dag: $(READY) ## Draw the pipeline as text
	@$(BIN)/dvc dag

.PHONY: plots
plots: $(READY) ## Write dvc_plots/index.html, DVC's plots on a page that needs no network (the first time it needs npm)
	@$(BIN)/python docs/plots_page.py

.PHONY: ui
ui: $(READY) ## Open MLflow on the runs, for this machine alone
	$(BIN)/provenn ui

.PHONY: book
book: $(READY) build-book ## Build the book from this commit's results, and open it on this machine alone (needs npm)
	@$(BIN)/python -m notes book

.PHONY: build-book
build-book: $(READY)
	@$(BIN)/provenn repro
	cd book && "$(CURDIR)/$(BIN)/provenn" repro

.PHONY: check-book
check-book: build-book ## Read the book in a real browser: every page and widget, in both languages (needs Chromium)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --rootdir=. book/tests

.PHONY: exercise
exercise: $(READY) ## Check what you wrote for an exercise: make exercise N=1
	@$(BIN)/python exercises/check.py $(N)

.PHONY: translate
translate: $(READY) ## Bring the list of the book's texts to translate up to date with its pages
	cd book && ../$(BIN)/python -m sphinx --builder=gettext --conf-dir=. --quiet pages .dvc/tmp/texts
	cd book && ../$(BIN)/pybabel update --width=110 --ignore-obsolete --input-file=.dvc/tmp/texts/book.pot \
		--output-dir=locales --domain=book --locale=zh_CN

.PHONY: screenshot
screenshot: $(READY) ## Take the pictures of MLflow and of the book that the README shows (needs Chromium)
	@$(BIN)/provenn sync > /dev/null
	$(BIN)/python docs/screenshot.py
	$(BIN)/python docs/book_pictures.py

# One thread in each of the two test processes: more of them only wait for each other.
.PHONY: test
test: $(READY) ## Run the test suite
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

.PHONY: test-fast
test-fast: $(READY) ## Run the tests that do not run the pipeline
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow"

.PHONY: reliability
reliability: $(READY) ## Make every fault that the tests know, and write docs/reliability.md from those that pass
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m fault --reliability

# shellcheck and pyflakes, which actionlint calls where they happen to be installed, would make the result depend on that.
.PHONY: lint
lint: $(READY) ## Check style, types, layers and the workflow files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github

.PHONY: format
format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: hooks
hooks: $(READY) ## Check every commit before it is made (pre-commit)
	$(BIN)/pre-commit install

.PHONY: lock
lock: ## Pin the newest versions that pyproject.toml admits in requirements.lock and requirements-tools.lock
	rm -rf $(LOCK_ENVIRONMENT)
	"$(PYTHON)" -m venv $(LOCK_ENVIRONMENT)
	$(LOCK_ENVIRONMENT)/bin/pip install --disable-pip-version-check '$(PIP)'
	$(LOCK_ENVIRONMENT)/bin/pip install --group notes
	$(PINNED) > $(LOCK_ENVIRONMENT)/notes
	$(LOCK_ENVIRONMENT)/bin/pip install -c $(LOCK_ENVIRONMENT)/notes -e '.[dask,export,new,ray,sweep]' --group book --group dev
	$(PINNED) | LC_ALL=C comm -13 $(LOCK_ENVIRONMENT)/notes - > $(LOCK_ENVIRONMENT)/tools
	{ grep '^#' requirements.lock; cat $(LOCK_ENVIRONMENT)/notes; } > $(LOCK_ENVIRONMENT)/requirements.lock
	{ grep '^#' requirements-tools.lock; cat $(LOCK_ENVIRONMENT)/tools; } > $(LOCK_ENVIRONMENT)/requirements-tools.lock
	mv $(LOCK_ENVIRONMENT)/requirements*.lock .
	rm -rf $(LOCK_ENVIRONMENT)

.PHONY: clean
clean: ## Remove what the pipeline made; DVC's cache stays, so `make repro` brings it back at once
	git clean -ffdXq -- data models results dvc_plots mlruns \
		$(foreach project,$(EXPERIMENTS),$(addprefix $(project)/,data fashion_mnist mnist models results)) \
		$(addprefix book/,libraries widget-data site locales)

.PHONY: distclean
distclean: clean ## Remove DVC's cache, .venv and the tools' caches too
	rm -rf .venv $(LOCK_ENVIRONMENT) .dvc/cache $(foreach project,. $(PROJECTS),$(addprefix $(project)/.dvc/,tmp config.local))
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache src/provenn.egg-info
