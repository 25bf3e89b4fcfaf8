// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace nearpool {

// The value of an environment variable; nothing in a setuid program, where the environment is not to be trusted.
std::optional<std::string> environment(const char *name);

} // namespace nearpool
