# Everything a person does with a checkout. Bare `make` lists the targets; each does all the set-up it needs.

PYTHON ?= python3.11
# A MovieLens folder (ml-latest-small, ml-latest, ml-25m, ml-32m, ml-1m, ml-100k); without one, a service is simulated.
DATA ?=
# The simulated service of `make run`: how many accounts, for how many days. Of much fewer nobody learns any taste.
ACCOUNTS ?= 120
DAYS ?= 14
ifeq ($(strip $(DATA)),)
# One lake per data set, so that two of them never mix.
LAKE ?= .cinelake/simulated-$(ACCOUNTS)x$(DAYS)
SERVICE := $(LAKE).service
# Profiles for which `make run` shows recommendations; none named: those that rated most.
PROFILES ?=
else
LAKE ?= .cinelake/$(notdir $(patsubst %/,%,$(DATA)))
PROFILES ?= 1 42 100 200 300
endif
# More arguments for pytest, as in: make test ARGS="-k session -x"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# One process for the tests of jobs and transforms, one for all others (tests/conftest.py).
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadgroup
READY := $(VENV)/.ready
# Airflow brings a pyspark of its own, without Spark: never into the same environment.
AIRFLOW := .airflow/venv
AIRFLOW_READY := $(AIRFLOW)/.ready
# The day that `make airflow` computes; none named: the last but one that landed.
DAY ?=
CINELAKE := $(BIN)/cinelake --set lake.root="$(LAKE)"
ifdef SERVICE
CINELAKE += --env trial --set lake.landing="$(SERVICE)/landing"
SIMULATE = simulate "$(SERVICE)" --profile small --accounts $(ACCOUNTS) --days $(DAYS) then
BRING_IN = $(if $(wildcard $(SERVICE)/delivery.json),,$(SIMULATE))
else
BRING_IN = ingest movielens "$(DATA)" then
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help prerequisites setup jars run test thorough lint format types bench soak scale bundle airflow lock lock-airflow clean

help: ## Show this list
	@echo "Cinelake. Targets:"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

prerequisites:
	@sh scripts/prerequisites.sh "$(PYTHON)"

# Done once, and again when the lock, the package's metadata or the jars' pins change.
$(READY): requirements.lock pyproject.toml lib/cinelake/runtime/spark/jars.lock | prerequisites
	@echo "Setting up $(VENV): packages from requirements.lock (a few minutes the first time)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c "from cinelake.runtime.spark.session import prepare; prepare()"
	@touch $(READY)

setup: prerequisites $(READY) ## Make .venv with the locked packages, and fetch Delta's jars

jars: prerequisites $(READY) ## Fetch Delta's jars again if they are missing
	@$(BIN)/python -c "from cinelake.runtime.spark.session import prepare; prepare()"

run: prerequisites $(READY) ## Simulate a service, or ingest DATA=folder; run every job; show what came of it
ifneq ($(strip $(DATA)),)
	@test -d "$(DATA)" || { \
	  echo "There is no folder $(DATA)." >&2; \
	  echo "Get a MovieLens data set from https://grouplens.org/datasets/movielens/ (ml-latest-small will do)," >&2; \
	  echo "unpack it, and say where it is: make run DATA=/path/to/ml-latest-small" >&2; exit 1; }
endif
	@$(CINELAKE) $(BRING_IN) run then leaderboard then recommend $(PROFILES) then home then clusters then cases then incidents then report --out "$(LAKE).html" \
	  || [ $$? -eq 3 ] # a job warns; it has said of what

test: prerequisites $(READY) ## Run the tests (ARGS= goes to pytest)
	@$(PYTEST) -m "not thorough" $(ARGS)

thorough: prerequisites $(READY) ## Run the tests that make test leaves out: races, kills, repetitions (20 minutes)
	@$(PYTEST) -m thorough $(ARGS)

lint: prerequisites $(READY) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: prerequisites $(READY) ## Format the code, and mend what can be mended
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: prerequisites $(READY) ## Check types
	@$(BIN)/mypy

bench: prerequisites $(READY) ## Measure costs as ratios, against bare Delta and rivals (minutes)
	@$(BIN)/pytest tests/benchmarks -s --timeout=0 $(ARGS)

soak: prerequisites $(READY) ## Kill runs at random moments, race them, and compare (many minutes)
	@$(BIN)/pytest tests/soak -s --timeout=0 $(ARGS)

scale: prerequisites $(READY) ## Measure the pipeline at 1, 3 and 10 times a service, and write docs/scale.md (an hour)
	@$(BIN)/python scripts/scale.py $(ARGS)

bundle: prerequisites $(READY) ## Make dist/cinelake-VERSION/ for spark-submit: jobs, conf, cinelake.zip, locks of jars
	@$(BIN)/python scripts/bundle.py

# Done once, and again when its lock changes.
$(AIRFLOW_READY): conf/airflow/requirements.lock | prerequisites
	@echo "Setting up $(AIRFLOW): packages from conf/airflow/requirements.lock (a few minutes the first time)"
	@test -x $(AIRFLOW)/bin/python || "$(PYTHON)" -m venv $(AIRFLOW)
	@$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r conf/airflow/requirements.lock
	@touch $(AIRFLOW_READY)

airflow: prerequisites $(READY) $(AIRFLOW_READY) ## Run a day of the lake's jobs in Airflow, by spark-submit (DAY=2026-01-31)
ifdef SERVICE
	@test -e "$(SERVICE)/delivery.json" || $(CINELAKE) $(SIMULATE) config > /dev/null
else
	@$(CINELAKE) $(BRING_IN) config > /dev/null
endif
	@rm -rf .airflow/cinelake-*
	@$(BIN)/python scripts/bundle.py --out .airflow > /dev/null
	@$(BIN)/python scripts/airflow_day.py --bundle .airflow/cinelake-* --lake "$(LAKE)" \
	  --landing "$(if $(SERVICE),$(SERVICE)/landing,$(LAKE)/landing)" --env $(if $(SERVICE),trial,local) $(if $(DAY),--day $(DAY))

lock: prerequisites $(READY) ## Resolve requirements.lock anew after a change of pyproject.toml (ARGS=--upgrade)
	@$(BIN)/uv pip compile pyproject.toml --quiet --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header $(ARGS) --output-file requirements.lock
	@echo "requirements.lock is up to date"

lock-airflow: prerequisites $(READY) ## Resolve Airflow's lock anew after a change of conf/airflow/requirements.in
	@$(BIN)/uv pip compile conf/airflow/requirements.in --quiet --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header $(ARGS) --output-file conf/airflow/requirements.lock
	@echo "conf/airflow/requirements.lock is up to date"

clean: ## Remove what make made: .venv, .airflow, dist and caches (lakes in .cinelake/ stay)
	@rm -rf $(VENV) .airflow dist build lib/cinelake.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find lib jobs scripts tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
