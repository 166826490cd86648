# Windtunnel's commands. `make help` lists them; each does the set-up that it needs.

SEARCH := digits_cnn
DATA :=
ARGS :=
TESTS := tests
JOBS := 2
RUN := runs/latest
PORT := 8080
TRAINER_IMAGE := windtunnel-trainer

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
READY_BENCH := $(VENV)/.ready-bench
INSTALLATION := pyproject.toml requirements.lock scripts/install scripts/locked.py scripts/find-python

QUICK := "not slow and not long and not azure and not cluster and not stack and not ui"

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\#.*/\1/p' Makefile)

help: ## list these commands
	@echo "make COMMAND [SETTING=value …]"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Settings: PYTHON=/path/to/python (3.11 to 3.13); TORCH_INDEX=URL takes torch from that index, such as PyTorch's for CPUs"

setup: $(READY_DEV) ## install everything into .venv, in the locked versions

run: $(READY) ## run a search and report: SEARCH=name or file, DATA=folder, ARGS="--extend …"
	@$(BIN)/python -m windtunnel_airflow.run $(SEARCH) $(if $(DATA),--data "$(DATA)") $(ARGS)

ui: $(READY) ## start Airflow with the searches, ready to trigger: PORT=8080, DATA=folder
	@$(if $(DATA),WINDTUNNEL_DATA="$(abspath $(DATA))") $(BIN)/python scripts/ui.py --port $(PORT) $(ARGS)

try: $(READY) ## train one sampled trial in the foreground: SEARCH, DATA, ARGS
	@$(BIN)/python -m windtunnel try $(if $(filter %.yaml,$(SEARCH)),$(SEARCH),include/searches/$(SEARCH).yaml) $(if $(DATA),--data "$(DATA)") $(ARGS)

validate: $(READY) ## check every definition in include/searches
	@$(BIN)/python -m windtunnel validate include/searches/*.yaml

test: $(READY_DEV) ## run the quick tests: TESTS=path, JOBS=2 (0 for a debugger), ARGS="-k name …"
	@$(BIN)/python -m pytest -m $(QUICK) -n $(JOBS) --dist loadfile $(TESTS) $(ARGS)

test-random: $(READY_DEV) ## run the quick tests in random order, with new examples: JOBS=2, ARGS="--randomly-seed=last"
	@$(BIN)/python -m pytest -m $(QUICK) -n $(JOBS) --dist loadfile -p randomly --hypothesis-profile=explore $(TESTS) $(ARGS)

test-all: $(READY_DEV) ## run all tests, the slow ones too, but not those that need an engine for containers
	@$(BIN)/python -m pytest -m "not stack" $(TESTS) $(ARGS)

test-long: $(READY_DEV) ## run the slow tests that .ci/run leaves out, some of them against Azurite: ARGS="…"
	@$(BIN)/python -m pytest -m long $(TESTS) $(ARGS)

test-dying: $(READY_DEV) ## let each process die before and after every write, on Azurite too, which takes hours: ARGS="-k …"
	@WINDTUNNEL_NEED_AZURITE=1 WINDTUNNEL_EVERY_WRITE=1 $(BIN)/python -m pytest \
		$(addprefix $(TESTS)/,airflow/test_dying.py core/engine/test_dying.py trainer/test_dying.py trainer/fleet/test_dying.py) $(ARGS)

test-azure: $(READY_DEV) ## run the tests against Azurite, which is installed with npm: ARGS="…"
	@WINDTUNNEL_NEED_AZURITE=1 $(BIN)/python -m pytest -m "azure and not long" $(TESTS) $(ARGS)

test-cluster: $(READY_DEV) ## run the tests on the Kubernetes cluster of KUBECONFIG, whose pods see this machine's files: ARGS="…"
	@WINDTUNNEL_TEST_CLUSTER=1 $(BIN)/python -m pytest -m cluster $(TESTS)/cluster $(ARGS)

test-python313: ## set up under Python 3.13 in a Debian of its own, run a search and the quick tests; needs root: ARGS="…"
	@scripts/test-python313 $(ARGS)

stack-test: $(READY_DEV) ## build and run the stack of docker-compose.yaml, and restart its services in a search; needs Docker
	@$(BIN)/python -m pytest -m stack $(TESTS)/stack $(ARGS)

test-ui: $(READY_DEV) ## look at the results page with Chromium, through Airflow's own login: ARGS="-k table"
	@$(BIN)/python -m pytest -m ui $(TESTS)/ui $(ARGS)

attack: $(READY_DEV) ## attack a live page, store, spool and launcher in every way that is known: ARGS="-k links"
	@$(BIN)/python -m pytest tests/attack $(ARGS)

kills: $(READY_DEV) ## kill a search's or a fleet's processes at 20 random moments and compare: ARGS="--kind fleet --engine scheduler --kills 20"
	@$(BIN)/python -m tests.kills $(ARGS)

kills-cluster: $(READY_DEV) ## kill random pods of searches on the cluster of KUBECONFIG, and compare: WINDTUNNEL_TEST_KILLS=10
	@WINDTUNNEL_TEST_CLUSTER=1 $(BIN)/python -m pytest -s -m cluster tests/cluster/kills.py $(ARGS)

lint: $(READY_DEV) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY_DEV) ## mend what the style check can mend by itself
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

schema: $(READY) ## write the JSON Schema of definitions, and the tables of docs/definition.md
	@$(BIN)/python -m windtunnel schema
	@$(BIN)/python -m windtunnel schema --kind fleet
	@$(BIN)/python scripts/definition_page.py

count: $(READY) ## count classes, statements, copies of rules: ARGS="--at COMMIT" beside a commit, ARGS=--where for the lines
	@$(BIN)/python scripts/count_concepts.py $(ARGS)

lock: $(READY_DEV) ## resolve all versions into requirements.lock after a change of pyproject.toml: ARGS="--upgrade"
	@$(BIN)/python scripts/lock.py $(ARGS)

bench-launcher: $(READY) ## measure trials per minute of the local launcher: ARGS="--trials 200"
	@$(BIN)/python benchmarks/launcher.py $(ARGS)

bench-functions: $(READY) ## measure a search of a function that does nothing beside Optuna and Ray Tune: ARGS="--trials 20 --ray PYTHON"
	@$(BIN)/python -m benchmarks.functions $(ARGS)

bench-kubernetes: $(READY) ## measure what pods cost on the cluster of KUBECONFIG: ARGS="--trials 200 --seconds 8"
	@$(BIN)/python -m benchmarks.kubernetes_jobs $(ARGS)

bench-results-page: $(READY_DEV) ## measure the results page with 5,000 and 10,000 trials: ARGS="--trials 5000"
	@$(BIN)/python -m benchmarks.results_page $(ARGS)

bench-stores: $(READY_DEV) ## measure listing and reading of results in both stores: ARGS="--sizes 100,1000"
	@PYTHONPATH=. $(BIN)/python benchmarks/stores.py $(ARGS)

bench-utilisation: $(READY) ## simulate how busy the lanes are, by the length of trials and of Airflow's turns: ARGS="--seeds 10"
	@$(BIN)/python -m benchmarks.utilisation $(ARGS)

bench-fleet: $(READY_BENCH) ## measure a fleet that does nothing beside Pool and joblib: ARGS="--sizes 10,1", ARGS="--memory 1000,5000,20000"
	@$(BIN)/python -m benchmarks.fleet $(ARGS)

bench-lanes: $(READY_DEV) ## measure how busy lanes are in a run under Airflow, beside the simulation: ARGS="--trials 200 --lanes 8 --mean 10"
	@$(BIN)/python -m benchmarks.lanes $(ARGS)

bench-lane-memory: $(READY) ## measure what a lane holds after 50 trials and after 5,000: ARGS="--trials 500"
	@$(BIN)/python -m benchmarks.lane_memory $(ARGS)

bench-orchestration: $(READY_DEV) ## measure 10,000 one-second trials through Airflow, and 1,600 beside Ray Tune and Optuna: ARGS="--trials 200 --beside 0"
	@$(BIN)/python -m benchmarks.orchestration.install
	@$(BIN)/python -m benchmarks.orchestration $(ARGS)

bench-stopping: $(READY) ## measure the epochs that early stopping saves, on curves of real trainings: ARGS="--seeds 20"
	@$(BIN)/python benchmarks/stopping.py $(ARGS)

bench-evidence: $(READY) ## measure what late trials, rungs, failures and earlier searches tell: ARGS="--seeds 10"
	@$(BIN)/python -m benchmarks.evidence $(ARGS)

bench-search: $(READY_BENCH) ## lay the strategies beside their peers: DATA=folder of nas-bench-macro, ARGS="--quick --variants --ablation", or many problems: ARGS=--suite
	@$(BIN)/python -m benchmarks.search "$(DATA)" $(ARGS)

bench-archai: $(READY) ## lay a run's front beside Archai's: RUN=runs/latest DATA=folder of archai-mnist
	@$(BIN)/python benchmarks/archai_front.py $(RUN) "$(DATA)/pareto_models.csv" $(ARGS)

trainer-image: ## build the image that jobs run in: TRAINER_IMAGE=name, TORCH_INDEX=URL
	docker build --file trainer/Dockerfile --tag $(TRAINER_IMAGE) --build-arg TORCH_INDEX=$(TORCH_INDEX) .

wheel: $(READY_DEV) ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what the commands made, but for runs/
	rm -rf .venv .airflow dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): $(INSTALLATION)
	@scripts/install $(VENV) all,build
	@touch $@

$(READY_DEV): $(INSTALLATION)
	@scripts/install $(VENV) all,dev
	@touch $(READY) $@

$(READY_BENCH): $(INSTALLATION)
	@scripts/install $(VENV) all,dev,bench
	@touch $(READY) $(READY_DEV) $@
