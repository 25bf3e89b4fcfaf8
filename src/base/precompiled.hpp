// SPDX-License-Identifier: Apache-2.0
// Precompiled for the library: what most of its files read, and takes long to. Each compiles without it all the same:
// clang-tidy reads it so.
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
