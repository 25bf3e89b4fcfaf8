// SPDX-License-Identifier: Apache-2.0
// Precompiled for the library: what nearly every file of it reads, for it is a quarter of the compiler's time. Files
// include what they use all the same: clang-tidy reads them without this.
#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
