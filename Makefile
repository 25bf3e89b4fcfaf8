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
setup := meson setup -Dprefix=$(PREFIX) -Dwerror=$(if $(WERROR),true,false)
fake_driver := NEARPOOL_CUDA_LIBRARY=build-bench/tests/fakes/libcuda/full/libcuda.so.1 \
	NEARPOOL_NVML_LIBRARY=build-bench/tests/fakes/libnvidia-ml/libnvidia-ml.so.1
# Sanitizers want little optimisation, for stacks that say where one is, and of what debuggers read only the lines.
sanitize := -Doptimization=1 -Dc_args=-g1 -Dcpp_args=-g1 -Db_lundef=false -Dexamples=false -Db_sanitize

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help deps build demo test bench gpu-bundle vm consumers asan tsan fuzz lint format docs install clean
export V

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

deps: ## name and install the missing Debian packages
	@$(if $(filter no,$(DEPS)),:,.ci/deps)

build: deps build/build.ninja ## compile everything into build/
	@$(run) ninja -C build

demo: deps build/build.ninja ## build and run the main example (MACHINE=four-nodes: in that virtual machine)
	@$(run) ninja -C build docs/examples/worker_pool
	@$(if $(MACHINE),tests/vm/run $(MACHINE) --) build/docs/examples/worker_pool $(ARGS)

test: build ## unit, contract, ABI and GPU tests (on a fake driver), the virtual machines, the callers in other languages
	@meson test -C build --no-rebuild --print-errorlogs $(if $(V),--verbose)
	@tests/vm/all
	@bindings/run

bench: deps build-bench/build.ninja ## benchmarks: a table, and build-bench/bench.json; of GPUs on the fake driver
	@$(run) ninja -C build-bench
	@$(if $(NEARPOOL_CUDA_LIBRARY),,$(fake_driver)) build-bench/tests/bench/nearpool_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
		--benchmark_out=build-bench/bench.json --benchmark_out_format=json $(ARGS)

gpu-bundle: deps build-bundle/build.ninja ## a folder to take to a machine with a GPU; gpu-bundle/run.sh runs it there
	@$(run) ninja -C build-bundle gpu-bundle
	@du -sh gpu-bundle

vm: build ## the tests and proofs inside the virtual machines
	@tests/vm/all $(MACHINE)

consumers: build ## callers in C, C++, Rust, Go and a dlopen host, built from a staged install
	@bindings/run

asan: deps build-asan/build.ninja ## unit, contract and GPU tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(run) ninja -C build-asan
	@.ci/sanitized build-asan

tsan: deps build-tsan/build.ninja ## unit, contract and GPU tests under ThreadSanitizer
	@$(run) ninja -C build-tsan
	@.ci/sanitized build-tsan

fuzz: deps build-fuzz/build.ninja ## libFuzzer on hostile inputs, FUZZ_SECONDS each (60); FUZZ_TARGETS="sysfs xml" chooses
	@$(run) ninja -C build-fuzz fuzzers
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ_TARGETS='$(FUZZ_TARGETS)' tests/fuzz/run build-fuzz

lint: build ## format, tidy, layers, prefix, map, table, padding and the rest, each also on a bad sample
	@tests/lint/run build $(ARGS)

format: ## write every C and C++ file as clang-format does
	@tests/lint/checks/format . build --fix

docs: deps ## the reference of the public headers, in build/docs/html
	@$(run) docs/build build/docs

install: build ## into PREFIX (DESTDIR is honoured)
	@$(run) $(setup) --reconfigure build
	@$(run) meson install -C build $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

clean: ## remove the build folders
	@rm -rf build build-asan build-tsan build-fuzz build-bench build-bundle gpu-bundle

build/build.ninja: | deps
	@$(run) $(setup) -Dbench=true build

build-bench/build.ninja: | deps
	@$(run) $(setup) -Dbuildtype=release -Dbench=true -Dtests=false -Dexamples=false build-bench

build-bundle/build.ninja: | deps
	@$(run) $(setup) -Dbuildtype=release -Dbench=true -Dexamples=false build-bundle

build-asan/build.ninja: | deps
	@$(run) $(setup) $(sanitize)=address,undefined build-asan

build-fuzz/build.ninja: | deps
	@$(run) tests/fuzz/tools
	@CC=clang CXX=clang++ $(run) $(setup) $(sanitize)=address,undefined -Dtests=false -Dfuzz=true build-fuzz

build-tsan/build.ninja: | deps
	@$(run) $(setup) $(sanitize)=thread build-tsan
