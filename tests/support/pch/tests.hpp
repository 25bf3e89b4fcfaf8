// SPDX-License-Identifier: Apache-2.0
// Precompiled for the test binaries: what nearly every test includes, and takes longest to read.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
