// SPDX-License-Identifier: Apache-2.0
// The inputs of the corpus as a test, without libFuzzer: each in a process of its own, which must end well, soon, and
// without a word on descriptor 2.
// usage: nearpool_fuzz_replay CORPUS TARGET...: the files of CORPUS/TARGET
#include "fuzz/harness.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using nearpool::fuzz::Target;

constexpr unsigned most_seconds = 20; // of processor time: machines are busy

Target target_of(const std::string &name) {
    static constexpr nearpool::fuzz::NamedTarget all[] = {
#define NEARPOOL_FUZZ(function) {#function, nearpool::fuzz::function},
#include "fuzz/targets.inc"
#undef NEARPOOL_FUZZ
    };
    const auto *found =
        std::find_if(std::begin(all), std::end(all), [&](const auto &each) { return name == each.name; });
    return found == std::end(all) ? nullptr : found->run;
}

std::string text_of(const std::filesystem::path &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Never returns.
void run_child(Target target, const std::filesystem::path &path, int said) {
    const std::string text = text_of(path);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // nobody would wait for it
    dup2(said, 2);
    const itimerval limit{{0, 0}, {most_seconds, 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
    target(reinterpret_cast<const uint8_t *>(text.data()), text.size());
    std::exit(0);
}

std::string what_was_said(int said) {
    std::string text(static_cast<std::size_t>(std::max<off_t>(lseek(said, 0, SEEK_END), 0)), '\0');
    const ssize_t count = pread(said, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

// Empty: it went well.
std::string fault_of(Target target, const std::filesystem::path &path) {
    const int said = memfd_create("said", MFD_CLOEXEC);
    const pid_t child = said >= 0 ? fork() : -1;
    if (child == 0) {
        run_child(target, path, said);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return std::string("cannot be run: ") + std::strerror(errno);
    }
    const std::string text = what_was_said(said);
    close(said);
    if (WIFSIGNALED(status)) {
        return std::string("ended by ") + strsignal(WTERMSIG(status)) + "\n" + text;
    }
    if (WEXITSTATUS(status) != 0) {
        return "exit status " + std::to_string(WEXITSTATUS(status)) + "\n" + text;
    }
    return text.empty() ? text : "wrote to descriptor 2: " + text;
}

bool replay(const std::filesystem::path &corpus, const std::string &name) {
    const Target target = target_of(name);
    std::vector<std::filesystem::path> paths;
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator(corpus / name, error)) {
        paths.push_back(entry.path());
    }
    if (target == nullptr || paths.empty()) {
        std::printf("%s: no such target, or no inputs in %s\n", name.c_str(), (corpus / name).c_str());
        return false;
    }
    std::sort(paths.begin(), paths.end());
    std::size_t faults = 0;
    for (const auto &path : paths) {
        const std::string fault = fault_of(target, path);
        if (!fault.empty()) {
            faults++;
            std::printf("%s: %s\n", path.c_str(), fault.c_str());
        }
    }
    std::printf("%s: %zu inputs, %zu faults\n", name.c_str(), paths.size(), faults);
    return faults == 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::printf("usage: %s CORPUS TARGET...\n", argv[0]);
        return 2;
    }
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    bool well = true;
    for (int i = 2; i < argc; i++) {
        well = replay(argv[1], argv[i]) && well;
    }
    return well ? 0 : 1;
}
