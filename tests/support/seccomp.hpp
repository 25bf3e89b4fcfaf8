// SPDX-License-Identifier: Apache-2.0
// A container's seccomp filter, as seccomp(2) sets it. It cannot be taken off again: for tests that are a process of
// their own. No privileges are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace nearpool_test {

enum class Whom {
    all_threads,
    this_one, // and those that it starts
};

// From now on each of the calls answers `error`.
inline bool forbid(const std::vector<long> &calls, int error, Whom whom = Whom::all_threads) {
    std::vector<sock_filter> program;
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    for (const long call : calls) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)));
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    const unsigned flags = whom == Whom::all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0;
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) == 0;
}

} // namespace nearpool_test

#define FORBID_OR_SKIP(...)                                                                                            \
    if (!nearpool_test::forbid(__VA_ARGS__)) {                                                                         \
        GTEST_SKIP() << "[seccomp] this process may not install a filter";                                             \
    }
