// SPDX-License-Identifier: Apache-2.0
// Compiles with the precompiled header alone.
namespace nearpool {

int first(const std::string &text) {
    return text.empty() ? 0 : text[0];
}

} // namespace nearpool
