// SPDX-License-Identifier: Apache-2.0
// Says which GPUs there are, and makes one table and one JSON file of what the programs of a bundle wrote. A machine
// with a GPU need not have an interpreter for that.
#include <nearpool/nearpool.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/utsname.h>
#include <thread>
#include <vector>

namespace {

using Json = nlohmann::ordered_json;

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_no_gpu = 3;

// Closed by nobody: the process ends soon.
void *open_library(const char *variable, const char *name) {
    const char *chosen = std::getenv(variable);
    return dlopen(chosen != nullptr && *chosen != '\0' ? chosen : name, RTLD_NOW | RTLD_LOCAL);
}

template <class Function> Function *find(void *library, const char *symbol) {
    return library != nullptr ? reinterpret_cast<Function *>(dlsym(library, symbol)) : nullptr;
}

// The line of /proc that starts with a key, from its value on; empty: there is none.
std::string line_of(const char *path, const std::string &key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.rfind(key, 0) == 0) {
            const std::size_t value = line.find_first_not_of(" \t:", key.size());
            return value != std::string::npos ? line.substr(value) : std::string();
        }
    }
    return {};
}

// The driver's own number, "550.54.15", which libcuda does not tell: from NVML, else from the kernel's module.
std::string driver_version() {
    void *nvml = open_library("NEARPOOL_NVML_LIBRARY", "libnvidia-ml.so.1");
    auto *init = find<int()>(nvml, "nvmlInit_v2");
    auto *get = find<int(char *, unsigned)>(nvml, "nvmlSystemGetDriverVersion");
    char text[96] = "";
    if (init != nullptr && get != nullptr && init() == 0 && get(text, sizeof text) == 0) {
        return text;
    }
    std::istringstream words(line_of("/proc/driver/nvidia/version", "NVRM version"));
    for (std::string word; words >> word;) {
        if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos) {
            return word;
        }
    }
    return "unknown";
}

Json driver_facts() {
    void *driver = open_library("NEARPOOL_CUDA_LIBRARY", "libcuda.so.1");
    auto *get = find<int(int *)>(driver, "cuDriverGetVersion");
    int cuda = 0;
    if (get != nullptr) {
        get(&cuda);
    }
    const bool fake = find<void()>(driver, "fakeCudaReset") != nullptr;
    return {{"version", fake ? "none: the fake driver of the tests" : driver_version()},
            {"cuda", std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10)},
            {"fake", fake}};
}

Json gpu_facts(const device_pool *pool) {
    Json gpus = Json::array();
    for (size_t i = 0; i < device_pool_count(pool); i++) {
        int32_t ordinal = 0;
        device_pool_facts facts{};
        facts.struct_size = sizeof facts;
        if (device_pool_at(pool, i, &ordinal) != NEAR_OK || device_pool_get_facts(pool, ordinal, &facts) != NEAR_OK) {
            continue;
        }
        Json node = facts.node == NEAR_NODE_UNKNOWN ? Json() : Json(facts.node);
        gpus.push_back({{"ordinal", ordinal},
                        {"name", facts.name},
                        {"uuid", facts.uuid_text},
                        {"pci", facts.pci_address},
                        {"memory_bytes", facts.total_bytes},
                        {"compute_capability",
                         std::to_string(facts.capability_major) + "." + std::to_string(facts.capability_minor)},
                        {"node", node}});
    }
    return gpus;
}

std::string now_text() {
    const std::time_t now = std::time(nullptr);
    char text[32] = "";
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return text;
}

Json machine_facts(const device_pool *pool) {
    utsname system{};
    uname(&system);
    std::string cpu = line_of("/proc/cpuinfo", "model name");
    const uint32_t version = near_version();
    return {{"nearpool", std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
                             std::to_string(version % 1000)},
            {"date", now_text()},
            {"gpus", gpu_facts(pool)},
            {"driver", driver_facts()},
            {"kernel", std::string(system.sysname) + " " + system.release + " " + system.machine},
            {"cpu", cpu.empty() ? "unknown" : cpu},
            {"cpu_count", std::thread::hardware_concurrency()}};
}

// Google Benchmark writes NaN for a spread relative to zero, which is no JSON.
Json read_json(const std::string &path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string none = "NaN";
    for (std::size_t at = 0; (at = text.find(": " + none, at)) != std::string::npos;) {
        text.replace(at + 2, none.size(), "null");
    }
    return Json::parse(text, nullptr, false); // is_discarded() when it is none
}

// What GoogleTest wrote. A program that ended badly without naming a failure counts as one.
Json test_results(const std::string &program, int status, const std::string &path) {
    const Json written = read_json(path);
    int passed = 0;
    Json failures = Json::array();
    Json skips = Json::array();
    for (const Json &suite : written.is_object() ? written.value("testsuites", Json::array()) : Json::array()) {
        for (const Json &test : suite.value("testsuite", Json::array())) {
            const std::string name = suite.value("name", "") + "." + test.value("name", "");
            if (test.contains("failures")) {
                failures.push_back({{"test", name}, {"text", test["failures"][0].value("failure", "")}});
            } else if (test.value("result", "") == "SKIPPED") {
                skips.push_back(name);
            } else if (test.value("status", "") == "RUN") {
                passed++;
            }
        }
    }
    if (failures.empty() && (status != 0 || passed == 0)) {
        failures.push_back({{"test", program}, {"text", "ended with status " + std::to_string(status)}});
    }
    return {{"program", program},      {"passed", passed},     {"failed", failures.size()},
            {"skipped", skips.size()}, {"failures", failures}, {"skipped_tests", skips}};
}

double middle(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

bool is_counter(const std::string &key) {
    static const std::vector<std::string> own{"family_index", "per_family_instance_index",
                                              "repetitions",  "repetition_index",
                                              "threads",      "iterations",
                                              "real_time",    "cpu_time"};
    return std::find(own.begin(), own.end(), key) == own.end();
}

std::string short_name(const Json &run) {
    std::string name = run.value("run_name", "");
    name.erase(std::min(name.find("/iterations:"), name.size()));
    return name;
}

// The runs of one benchmark: the median, the least and the greatest time, and the medians of its counters.
Json benchmark_summary(const std::vector<Json> &runs) {
    const auto values_of = [&](const std::string &key) {
        std::vector<double> values;
        for (const Json &run : runs) {
            values.push_back(run.value(key, 0.0));
        }
        return values;
    };
    const std::vector<double> times = values_of("real_time");
    Json counters = Json::object();
    for (const auto &[key, value] : runs.front().items()) {
        if (value.is_number() && is_counter(key)) {
            counters[key] = middle(values_of(key));
        }
    }
    return {{"name", short_name(runs.front())},
            {"unit", runs.front().value("time_unit", "")},
            {"median", middle(times)},
            {"least", *std::min_element(times.begin(), times.end())},
            {"greatest", *std::max_element(times.begin(), times.end())},
            {"runs", runs.size()},
            {"counters", counters},
            {"label", runs.front().value("label", "")}};
}

Json benchmark_results(const std::string &path) {
    const Json written = read_json(path);
    std::vector<std::vector<Json>> families;
    for (const Json &run : written.is_object() ? written.value("benchmarks", Json::array()) : Json::array()) {
        if (run.value("run_type", "") != "iteration" || run.contains("error_occurred")) {
            continue;
        }
        if (families.empty() || families.back().front().value("run_name", "") != run.value("run_name", "")) {
            families.emplace_back();
        }
        families.back().push_back(run);
    }
    Json results = Json::array();
    for (const std::vector<Json> &runs : families) {
        results.push_back(benchmark_summary(runs));
    }
    return results;
}

// A benchmark that could not be done here says why, each time that it ran.
Json skipped_benchmarks(const std::string &path) {
    const Json written = read_json(path);
    Json skipped = Json::array();
    for (const Json &run : written.is_object() ? written.value("benchmarks", Json::array()) : Json::array()) {
        const Json one{{"name", short_name(run)}, {"reason", run.value("error_message", "")}};
        if (run.contains("error_occurred") && (skipped.empty() || skipped.back() != one)) {
            skipped.push_back(one);
        }
    }
    return skipped;
}

void print_tests(const Json &tests) {
    std::printf("\n%-32s %8s %8s %8s\n", "tests", "passed", "failed", "skipped");
    for (const Json &program : tests) {
        std::printf("%-32s %8d %8d %8d\n", program["program"].get<std::string>().c_str(), program["passed"].get<int>(),
                    program["failed"].get<int>(), program["skipped"].get<int>());
        for (const Json &failure : program["failures"]) {
            std::printf("  FAILED %s: %s\n", failure["test"].get<std::string>().c_str(),
                        failure["text"].get<std::string>().c_str());
        }
    }
}

std::string text_of(const Json &value) {
    char text[32] = "";
    std::snprintf(text, sizeof text, "%.2f", value.get<double>());
    return text;
}

// The goals of a benchmark are counters of their own, "ratio_at_least" and "ns_at_most". Empty: it has none.
std::string goal_of(const Json &one) {
    const Json &counters = one["counters"];
    std::string verdict;
    for (const auto &[counter, goal] : counters.items()) {
        const bool least = counter.find("_at_least") != std::string::npos;
        if (!least && counter.find("_at_most") == std::string::npos) {
            continue;
        }
        const std::string what = counter.substr(0, counter.rfind("_at_"));
        const double value = what == "ns" ? one["median"].get<double>() : counters.value(what, 0.0);
        const bool met = least ? value >= goal.get<double>() : value <= goal.get<double>();
        verdict = met && verdict != "missed" ? "met" : "missed";
    }
    return verdict;
}

std::string notes_of(const Json &one) {
    std::string notes;
    for (const auto &[counter, value] : one["counters"].items()) {
        notes += counter == "ratio" ? "" : counter + " " + text_of(value) + "  ";
    }
    return notes + one["label"].get<std::string>();
}

void print_benchmarks(const Json &benchmarks) {
    std::printf("\n%-46s %14s %25s %8s %-7s\n", "benchmark", "median", "least .. greatest", "ratio", "goal");
    for (const Json &one : benchmarks) {
        const Json &counters = one["counters"];
        const std::string name = one["name"];
        const std::string median = text_of(one["median"]) + " " + one["unit"].get<std::string>();
        const std::string spread = text_of(one["least"]) + " .. " + text_of(one["greatest"]);
        const std::string ratio = counters.contains("ratio") ? text_of(counters["ratio"]) : "";
        std::printf("%-46s %14s %25s %8s %-7s %s\n", name.c_str(), median.c_str(), spread.c_str(), ratio.c_str(),
                    goal_of(one).c_str(), notes_of(one).c_str());
    }
}

void print_skipped(const Json &skipped) {
    for (const Json &one : skipped) {
        std::printf("%-46s not measured: %s\n", one["name"].get<std::string>().c_str(),
                    one["reason"].get<std::string>().c_str());
    }
}

void print_facts(const Json &facts) {
    std::printf("%s", facts.empty() ? "" : "\nof this driver and this kernel\n");
    for (const Json &fact : facts) {
        std::printf("%-18s %s (%s)\n", fact["answer"].get<std::string>().c_str(),
                    fact["statement"].get<std::string>().c_str(), fact["detail"].get<std::string>().c_str());
    }
}

void print_machine(const Json &all) {
    for (const Json &gpu : all["gpus"]) {
        std::printf("GPU %d: %s, %s\n", gpu["ordinal"].get<int>(), gpu["name"].get<std::string>().c_str(),
                    gpu["pci"].get<std::string>().c_str());
    }
    std::printf("driver %s, CUDA %s; nearpool %s; %s; %s, %u CPUs\n",
                all["driver"]["version"].get<std::string>().c_str(), all["driver"]["cuda"].get<std::string>().c_str(),
                all["nearpool"].get<std::string>().c_str(), all["kernel"].get<std::string>().c_str(),
                all["cpu"].get<std::string>().c_str(), all["cpu_count"].get<unsigned>());
}

// Adds what one program wrote. Empty: it ended well; else how not, where no test says that.
std::string add_results(const std::string &folder, const std::string &program, Json *all) {
    int status = exit_failed;
    std::ifstream(folder + "/" + program + ".status") >> status;
    const std::string written = folder + "/" + program + ".json";
    const std::string ended = "ended with status " + std::to_string(status);
    if (program == "nearpool_bench") {
        Json &benchmarks = (*all)["benchmarks"] = benchmark_results(written);
        (*all)["skipped_benchmarks"] = skipped_benchmarks(written);
        const std::string count = ", " + std::to_string(benchmarks.size()) + " results";
        return status != 0 || benchmarks.empty() ? ended + count : "";
    }
    if (program == "nearpool_gpu_facts") {
        const Json found = read_json(written);
        (*all)["facts"] = found.is_object() ? found.value("facts", Json::array()) : Json::array();
        return status != 0 || (*all)["facts"].empty() ? ended : "";
    }
    (*all)["tests"].push_back(test_results(program, status, written));
    return "";
}

// FOLDER has, for each program, a file with its status, and what it wrote: NAME.status, NAME.json.
int write_report(const device_pool *pool, const std::string &folder, const std::vector<std::string> &programs) {
    Json all = machine_facts(pool);
    std::string failures;
    all["passed"] = false;
    for (const char *list : {"tests", "facts", "benchmarks", "skipped_benchmarks"}) {
        all[list] = Json::array();
    }
    for (const std::string &program : programs) {
        const std::string failure = add_results(folder, program, &all);
        failures += failure.empty() ? "" : "  FAILED " + program + ": " + failure + "\n";
    }
    const bool tests_passed = std::all_of(all["tests"].begin(), all["tests"].end(),
                                          [](const Json &program) { return program["failed"] == 0; });
    all["passed"] = tests_passed && failures.empty();
    print_machine(all);
    print_tests(all["tests"]);
    print_facts(all["facts"]);
    print_benchmarks(all["benchmarks"]);
    print_skipped(all["skipped_benchmarks"]);
    std::printf("%s", failures.c_str());
    std::ofstream file(folder + "/results.json");
    file << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    file.close();
    if (!file) {
        std::fprintf(stderr, "cannot write %s/results.json\n", folder.c_str());
        return exit_failed;
    }
    return all["passed"] ? EXIT_SUCCESS : exit_failed;
}

} // namespace

int main(int argc, char **argv) {
    if (argc == 2) {
        std::fprintf(stderr,
                     "usage: nearpool_gpu_report [FOLDER PROGRAM...]; without, it says whether there is a GPU\n");
        return exit_usage;
    }
    near_error error{};
    error.struct_size = sizeof error;
    device_pool *pool = nullptr;
    if (device_pool_create(nullptr, &pool, &error) != NEAR_OK) {
        std::fprintf(stderr, "no GPU found: %s\n", error.message);
        return exit_no_gpu;
    }
    const int status = argc == 1 ? EXIT_SUCCESS : write_report(pool, argv[1], {argv + 2, argv + argc});
    device_pool_destroy(pool);
    return status;
}
