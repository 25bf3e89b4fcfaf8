// SPDX-License-Identifier: Apache-2.0
// One target for libFuzzer: NEARPOOL_FUZZ_TARGET names it.
#include "fuzz/harness.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace {

// With -close_fd_mask=2 libFuzzer and the sanitizers write elsewhere, and descriptor 2 is the target's alone. Then what
// it says is kept; otherwise -1.
int claim_descriptor_2() {
    struct stat now {};
    if (fstat(2, &now) != 0 || !S_ISCHR(now.st_mode) || now.st_rdev != makedev(1, 3)) {
        return -1;
    }
    const int said = memfd_create("said", MFD_CLOEXEC);
    return said >= 0 && dup2(said, 2) == 2 ? said : -1;
}

void require_silence(int said) {
    struct stat now {};
    if (said < 0 || fstat(said, &now) != 0 || now.st_size == 0) {
        return;
    }
    std::string text(static_cast<std::size_t>(now.st_size), '\0');
    const ssize_t count = pread(said, text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    nearpool::fuzz::require(false, "nothing is written to descriptor 2: " + text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, std::size_t size) {
    static const int said = claim_descriptor_2();
    nearpool::fuzz::NEARPOOL_FUZZ_TARGET(data, size);
    require_silence(said);
    return 0;
}
