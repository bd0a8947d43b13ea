# Every target sets up what it needs in a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
OLDEST ?= .venv-oldest
FRAMEWORKS ?= .venv-frameworks

SANITIZE ?= .venv-sanitize

FUZZ_SECONDS ?= 60

# What makes an environment old: what it installs, and the kernels that it builds.
BUILT = pyproject.toml setup.py $(wildcard xavinit/*/_kernel*.[ch])

ENGINES = tests/cluster/test_dask.py tests/cluster/test_faults_run.py tests/cluster/test_recipes_run.py

QUICK = -m "not frameworks and not slow and not browser and not cluster and not faults"

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-ci test-faults test-budgets test-kernel test-sanitize test-oldest test-pythons test-frameworks test-page matrix fuzz fuzz-files lint format bench clean measure-guesses measure-verdicts test-cluster test-engines test-stores test-store-faults

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/demo ## Set up, and write the weights of the sample network: mnist_mlp.safetensors.
	$(VENV)/bin/xavinit plan sample_specs/mnist_mlp.yaml
	$(VENV)/bin/xavinit generate sample_specs/mnist_mlp.yaml --force

test: $(VENV)/test ## Set up, and run the quick tests (a minute or two).
	$(VENV)/bin/python -m pytest -q -n auto $(QUICK)

test-slow: $(VENV)/test ## Run the tests that take minutes (every float32 of the quantile, the fit).
	$(VENV)/bin/python -m pytest -q -s -m slow

test-ci: $(VENV)/ci ## Run the hooks by pre-commit, and the action's installation (a minute).
	$(VENV)/bin/python -m pytest -q -m slow tests/test_ci_install.py

test-faults: $(VENV)/test ## Make every call of the system fail in turn, for every kind of output.
	$(VENV)/bin/python -m pytest -q -n auto -m "faults and not slow" tests/test_*faults.py

test-budgets: $(VENV)/test ## Plan hostile specs, each within its time and memory.
	$(VENV)/bin/python -m pytest -q -n auto -m slow tests/test_budgets.py

test-kernel: $(VENV)/test ## Compare the kernels over all 2³² words of each law (minutes).
	$(VENV)/bin/python -m pytest -q -n auto -m slow tests/test_kernel*.py

# Installed, not linked, and not from here: else Python would find the kernel beside the sources.
test-sanitize: $(SANITIZE)/test ## Run the kernels' tests under the address and undefined behaviour sanitizers.
	cd $(SANITIZE) && PYTHONSAFEPATH=1 ASAN_OPTIONS=detect_leaks=0 \
		LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
		bin/python -m pytest -q -p no:cacheprovider -c ../pyproject.toml --rootdir .. \
		-m "not slow" ../tests/test_kernel*.py ../tests/test_summaries.py \
		../tests/test_views.py

test-oldest: $(OLDEST)/test ## Run the quick tests on the oldest supported libraries (NumPy 1.26).
	$(OLDEST)/bin/python -m pytest -q -n auto $(QUICK)

test-pythons: ## Run the quick tests on every other Python that is here (3.12 …, free-threaded ones too).
	$(PYTHON) tools/pythons.py

test-frameworks: $(FRAMEWORKS)/test ## Load our files in PyTorch, TensorFlow, JAX and transformers (2 GB).
	$(FRAMEWORKS)/bin/pip install -q --no-deps .
	$(FRAMEWORKS)/bin/python -m pytest -q -m frameworks tests/frameworks

test-page: $(VENV)/browser ## Look at the page of a weights file in Chromium, which must be installed.
	$(VENV)/bin/python -m pytest -q -s -m browser tests/browser
measure-guesses: $(VENV)/test ## Count how often the laws of thousands of random tensors are guessed right.
	PYTHONPATH=tests $(VENV)/bin/python tests/measure_guesses.py

measure-verdicts: $(VENV)/test ## Count how often --statistics refuses true files, and lets wrong tensors pass.
	PYTHONPATH=tests $(VENV)/bin/python tests/measure_verdicts.py
test-cluster: test-engines test-stores ## Both of the next two.

test-engines: $(VENV)/cluster ## Write sets by Slurm, GNU parallel and Dask, which are started here (as root).
	$(VENV)/bin/python -m pytest -q -m cluster $(ENGINES)

test-stores: $(VENV)/cluster $(VENV)/azurite/ready ## Write to and read from object stores, which are started here.
	$(VENV)/bin/python -m pytest -q -m "cluster and not store_faults" tests/cluster $(ENGINES:%=--ignore=%)

test-store-faults: $(VENV)/cluster $(VENV)/azurite/ready ## Let stores fail, stall and lie, and runs die (ten minutes).
	$(VENV)/bin/python -m pytest -q -m "cluster and store_faults" tests/cluster

matrix: ## Compare the bytes over Pythons, libraries, processors (arm64 under qemu); MATRIX=--install.
	$(PYTHON) tools/matrix.py $(MATRIX)

fuzz: $(VENV)/fuzz ## Look for inputs that break the readers, for FUZZ_SECONDS (a minute).
	@mkdir -p tests/fuzz/found/corpus
	$(VENV)/bin/python tests/fuzz/fuzz_readers.py -max_total_time=$(FUZZ_SECONDS) -max_len=4096 \
		-artifact_prefix=tests/fuzz/found/ tests/fuzz/found/corpus tests/fuzz/corpus

fuzz-files: $(VENV)/fuzz ## Look for weights files that break the readers, for FUZZ_SECONDS (a minute).
	@mkdir -p tests/fuzz/found/files
	$(VENV)/bin/python tests/fuzz/fuzz_files.py -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -rss_limit_mb=8192 \
		-artifact_prefix=tests/fuzz/found/ tests/fuzz/found/files tests/fuzz/files

lint: $(VENV)/lint ## Check style and types.
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/basedpyright --pythonpath $(VENV)/bin/python -p tests/consumer

format: $(VENV)/lint ## Put the code into its style.
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(FRAMEWORKS)/test ## Time whole jobs beside NumPy, PyTorch and JAX.
	$(FRAMEWORKS)/bin/pip install -q --no-deps .
	$(FRAMEWORKS)/bin/python benchmarks/samplers.py
	$(FRAMEWORKS)/bin/python benchmarks/run.py
	$(FRAMEWORKS)/bin/python benchmarks/reading.py

clean: ## Remove environments and caches.
	rm -rf $(VENV) $(OLDEST) $(FRAMEWORKS) $(SANITIZE) .venv-matrix .venv-pythons build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A virtual environment with what pip is told to install in it.
define install
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install -q $(1)
	@touch $@
endef

$(VENV)/demo: $(BUILT)
	$(call install,-e .)

# One environment; each job adds the extra of its name.
$(VENV)/test $(VENV)/ci $(VENV)/fuzz $(VENV)/lint $(VENV)/browser $(VENV)/cluster: $(VENV)/%: $(BUILT)
	$(call install,-e ".[$*]")

# Azure's storage on this machine: a program of Node's, for tests alone.
$(VENV)/azurite/ready: | $(VENV)/cluster
	npm install --silent --no-audit --no-fund --prefix $(@D) azurite@3.35.0
	@touch $@

$(OLDEST)/test: $(BUILT) tests/oldest.txt
	$(call install,-c tests/oldest.txt -e ".[test]")

# setuptools takes what it finds in build/ for built: of another compiler's flags.
$(SANITIZE)/test: export CFLAGS = -g -fsanitize=address,undefined -fno-sanitize-recover=all
$(SANITIZE)/test: $(BUILT)
	rm -rf build
	$(call install,".[test]")
	rm -rf build

$(FRAMEWORKS)/test: $(BUILT)
	$(call install,".[frameworks]")
