#!/bin/sh
# Usage: ./run.sh [OPTION]...
#
# Runs nearpool's GPU tests and benchmarks on this machine's GPU driver, tries what is said of drivers and kernels,
# prints tables and writes results/results.json with the names of the GPU and the driver. This folder brings every
# library that it needs, the C library too; a driver is all that must be here. No test may pass by being skipped for
# want of a GPU.
#
# --driver FILE   the driver's libcuda.so.1; otherwise $NEARPOOL_CUDA_LIBRARY, otherwise searched for
# --nvml FILE     likewise its libnvidia-ml.so.1, with $NEARPOOL_NVML_LIBRARY; otherwise the one beside the driver
# --out FOLDER    for the results and what the programs printed, default results beside this script
# --tests FILTER  only these tests, as in --gtest_filter; '-*' runs none
# --bench FILTER  only these benchmarks, a regular expression, default ^(gpu/|pinned_heap); '' runs none
# --repeat N      times that each benchmark runs, default 5; those of cold page-locked memory run 3 times
# --facts WHICH   what is tried of the driver and the kernel, default most: none; or large, which is also what may stop
#                 every GPU process of the machine for minutes
# --system-libc   with this machine's C library: for a driver that needs a newer one than this folder's
#
# Exit status: 0 all passed, 1 a test failed or a program did, 2 wrong usage, 3 no GPU found.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
driver=${NEARPOOL_CUDA_LIBRARY:-}
nvml=${NEARPOOL_NVML_LIBRARY:-}
out=$here/results
test_filter='*'
bench_filter='^(gpu/|pinned_heap)'
repeat=5
facts=most
system_libc=no

usage_error() {
    printf 'run.sh: %s; try --help\n' "$1" >&2
    exit 2
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --help | -h) sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;p;};}' "$0"; exit 0 ;;
            --system-libc) system_libc=yes; shift; continue ;;
            --driver | --nvml | --out | --tests | --bench | --repeat | --facts)
                [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
            *) usage_error "unknown option $1" ;;
        esac
        case $1 in
            --driver) driver=$2 ;;
            --nvml) nvml=$2 ;;
            --out) out=$2 ;;
            --tests) test_filter=$2 ;;
            --bench) bench_filter=$2 ;;
            --repeat) repeat=$2 ;;
            --facts) facts=$2 ;;
        esac
        shift 2
    done
    case $facts in
        none | most | large) ;;
        *) usage_error "--facts is none, most or large, not $facts" ;;
    esac
}

absolute() { printf '%s/%s\n' "$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)" "$(basename -- "$1")"; }

# The linker's own cache first, then where drivers are put in containers and on systems without such a cache.
find_driver() {
    for folder in $(printf '%s' "${LD_LIBRARY_PATH:-}" | tr ':' ' '); do
        [ ! -e "$folder/libcuda.so.1" ] || { printf '%s\n' "$folder/libcuda.so.1"; return; }
    done
    cached=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -i "libcuda\.so\.1 .*$(uname -m | tr _ -)" |
        sed -n 's/.*=> //p;q')
    [ -z "$cached" ] || { printf '%s\n' "$cached"; return; }
    for folder in /usr/lib/"$(uname -m)"-linux-gnu /usr/lib64 /usr/lib /usr/local/nvidia/lib64 /usr/lib/wsl/lib \
        /run/opengl-driver/lib; do
        [ ! -e "$folder/libcuda.so.1" ] || { printf '%s\n' "$folder/libcuda.so.1"; return; }
    done
}

choose_driver() {
    [ -n "$driver" ] || driver=$(find_driver)
    if [ -z "$driver" ] || [ ! -e "$driver" ]; then
        printf 'run.sh: no GPU found: there is no driver %s\n' "${driver:-libcuda.so.1}" >&2
        exit 3
    fi
    driver=$(absolute "$driver")
    driver_folder=$(dirname -- "$driver")
    if [ -z "$nvml" ] && [ -e "$driver_folder/libnvidia-ml.so.1" ]; then nvml=$driver_folder/libnvidia-ml.so.1; fi
    [ -z "$nvml" ] || nvml=$(absolute "$nvml")
    export NEARPOOL_CUDA_LIBRARY="$driver" NEARPOOL_NVML_LIBRARY="$nvml" NEARPOOL_DRIVER_PATH="$driver_folder"
}

# Runs a program; its status and output go to the results.
record() { # program, arguments...
    name=$1
    shift
    "$here/bin/$name" "$@" >"$out/$name.log" 2>&1
    echo $? >"$out/$name.status"
    ran="$ran $name"
}

# Whether a program has a test that was asked for. One that cannot say so is run, and fails.
matches() {
    [ "$test_filter" != '*' ] || return 0
    listed=$("$here/bin/$1" "--gtest_filter=$test_filter" --gtest_list_tests 2>/dev/null) || return 0
    printf '%s\n' "$listed" | grep -q '^  '
}

run_tests() {
    for program in nearpool_driver_tests nearpool_gpu; do
        matches $program || continue
        printf 'running %s\n' "$program"
        GTEST_OUTPUT=json:$out/$program.json record "$program" "--gtest_filter=$test_filter"
    done
    [ -n "$ran" ] || { printf 'run.sh: no test matches %s\n' "$test_filter" >&2; exit 1; }
}

find_facts() {
    large=
    [ "$facts" != large ] || large=large
    printf 'running nearpool_gpu_facts\n'
    record nearpool_gpu_facts "$out/nearpool_gpu_facts.json" $large
}

run_benchmarks() {
    printf 'running nearpool_bench\n'
    record nearpool_bench "--benchmark_filter=$bench_filter" "--benchmark_repetitions=$repeat" \
        "--benchmark_out=$out/nearpool_bench.json" --benchmark_out_format=json
}

read_arguments "$@"
choose_driver
export NEARPOOL_TEST_REQUIRE=cuda NEARPOOL_SYSTEM_LIBC="$system_libc"
"$here/bin/nearpool_gpu_report" || exit $?
mkdir -p "$out" || exit 2
out=$(CDPATH='' cd -- "$out" && pwd)
rm -f "$out"/*.json "$out"/*.status "$out"/*.log
ran=''
[ "$test_filter" = '-*' ] || run_tests
[ "$facts" = none ] || find_facts
[ -z "$bench_filter" ] || run_benchmarks
# shellcheck disable=SC2086  # names, to be split
"$here/bin/nearpool_gpu_report" "$out" $ran
status=$?
rm -f "$out"/*.status
printf '\nresults: %s/results.json\n' "$out"
exit $status
