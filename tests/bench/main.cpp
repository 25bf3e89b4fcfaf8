// SPDX-License-Identifier: Apache-2.0
#include "gpu_support.hpp"

#include <benchmark/benchmark.h>

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    std::string why;
    if (bench::find_gpu(&why)) {
        bench::register_device_benchmarks();
        bench::register_stream_benchmarks();
        bench::register_thread_benchmarks();
        bench::register_pinned_benchmarks();
        bench::register_pinned_cache_benchmarks();
        bench::register_copy_benchmarks();
    } else {
        std::fprintf(stderr, "no benchmarks of GPUs: %s\n", why.c_str());
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
