# Every target is one line over meson or one script. Quiet unless V=1; DEPS=no leaves the system's packages alone;
# MACHINE=name runs the demo inside a virtual machine of tests/vm/machines.
V ?=
DEPS ?= yes
MACHINE ?=
WERROR ?=
PREFIX ?= /usr/local
DESTDIR ?=
ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

run := $(if $(V),,.ci/quiet)
needs = $(if $(filter no,$(DEPS)),:,.ci/deps $(1))
setup := meson setup -Dprefix=$(PREFIX) -Dwerror=$(if $(WERROR),true,false)
fake_driver := NEARPOOL_CUDA_LIBRARY=build-bench/tests/fakes/libcuda/full/libcuda.so.1 \
	NEARPOOL_NVML_LIBRARY=build-bench/tests/fakes/libnvidia-ml/libnvidia-ml.so.1
# Sanitizers want little optimisation, for stacks that say where one is, and of what debuggers read only the lines. At 1
# the compiler takes twice as long as at g.
sanitize := -Doptimization=g -Dc_args=-g1 -Dcpp_args=-g1 -Db_lundef=false -Dexamples=false -Db_sanitize

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help deps build demo test test-long bench gpu-bundle vm consumers asan tsan fuzz lint format docs install clean
export V

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

deps: ## name and install the Debian packages missing for test, lint, asan and tsan
	@$(call needs,test lint asan tsan)

# Each target asks for what it needs itself.
needs-%:
	@$(call needs,$*)

build: needs-build build/with-tests ## compile everything into build/
	@$(run) ninja -C build

demo: needs-demo build/build.ninja ## build and run the main example (MACHINE=four-nodes: in that virtual machine)
	@$(run) ninja -C build docs/examples/worker_pool
	@$(if $(MACHINE),tests/vm/run $(MACHINE) --) build/docs/examples/worker_pool $(ARGS)

test: needs-test build ## unit, contract, ABI and GPU tests (on a fake driver), the virtual machines, the callers in other languages
	@.ci/parts 'export NEARPOOL_TEST_SLOWER=$$(tests/slower); meson test -C build --no-rebuild --print-errorlogs --timeout-multiplier $$NEARPOOL_TEST_SLOWER$(if $(V), --verbose)' tests/vm/all bindings/run

test-long: needs-test-long ## what takes too long for every change: the demo on a fresh system (root's alone)
	@.ci/parts tests/demo_root

bench: needs-bench build-bench/build.ninja ## benchmarks: a table, and build-bench/bench.json; of GPUs on the fake driver
	@$(run) ninja -C build-bench
	@$(if $(NEARPOOL_CUDA_LIBRARY),,$(fake_driver)) build-bench/tests/bench/nearpool_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
		--benchmark_out=build-bench/bench.json --benchmark_out_format=json $(ARGS)

gpu-bundle: needs-gpu-bundle build-bundle/build.ninja ## a folder to take to a machine with a GPU; gpu-bundle/run.sh runs it there
	@$(run) ninja -C build-bundle gpu-bundle
	@du -sh gpu-bundle

vm: needs-vm build ## the tests and proofs inside the virtual machines
	@tests/vm/all $(MACHINE)

consumers: needs-consumers build ## callers in C, C++, Rust, Go and a dlopen host, built from a staged install
	@bindings/run

asan: needs-asan build-asan/build.ninja ## unit, contract and GPU tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(run) ninja -C build-asan
	@.ci/sanitized build-asan

tsan: needs-tsan build-tsan/build.ninja ## unit, contract and GPU tests under ThreadSanitizer
	@$(run) ninja -C build-tsan
	@.ci/sanitized build-tsan

fuzz: needs-fuzz build-fuzz/build.ninja ## libFuzzer on hostile inputs, FUZZ_SECONDS each (60); FUZZ_TARGETS="sysfs xml" chooses
	@$(run) ninja -C build-fuzz fuzzers
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ_TARGETS='$(FUZZ_TARGETS)' tests/fuzz/run build-fuzz

lint: needs-lint build ## format, tidy, layers, prefix, map, table, padding and the rest, each also on a bad sample
	@tests/lint/run build $(ARGS)

format: needs-format ## write every C and C++ file as clang-format does
	@tests/lint/checks/format . build --fix

docs: needs-docs ## the reference of the public headers, in build/docs/html
	@$(run) docs/build build/docs

install: needs-install build/build.ninja ## the library and its headers, into PREFIX (DESTDIR is honoured)
	@$(run) $(setup) --reconfigure build
	@$(run) meson compile -C build nearpool
	@$(run) meson install -C build --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove the build folders
	@rm -rf build build-asan build-tsan build-fuzz build-bench build-bundle gpu-bundle

# The library and the examples need less than the tests do. With these the folder is the same: what was compiled stays.
build/build.ninja:
	@$(run) $(setup) -Dtests=false build

build/with-tests: | build/build.ninja
	@$(run) $(setup) --reconfigure -Dtests=true -Dbench=true build
	@touch $@

build-bench/build.ninja:
	@$(run) $(setup) -Dbuildtype=release -Dbench=true -Dtests=false -Dexamples=false build-bench

build-bundle/build.ninja:
	@$(run) $(setup) -Dbuildtype=release -Dbench=true -Dexamples=false build-bundle

build-asan/build.ninja:
	@$(run) $(setup) $(sanitize)=address,undefined build-asan

build-fuzz/build.ninja:
	@CC=clang CXX=clang++ $(run) $(setup) $(sanitize)=address,undefined -Dtests=false -Dfuzz=true build-fuzz

build-tsan/build.ninja:
	@$(run) $(setup) $(sanitize)=thread build-tsan
