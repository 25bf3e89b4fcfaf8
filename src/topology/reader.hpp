// SPDX-License-Identifier: Apache-2.0
// Reads the small files of a root of /sys and /proc.
#pragma once

#include "base/error.hpp"
#include "base/number_set.hpp"
#include "sys/ports.hpp"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearpool {

// What is missing or not understood is nothing. A file over most_file_bytes is nothing too, and the failure of the
// whole reading: nobody's machine has one.
class Reader {
public:
    // `root` is "" for this machine.
    Reader(FilePort &files, std::string root) : files_(files), root_(std::move(root)) {}

    std::optional<std::string> text(const std::string &path) const;
    std::string beginning(const std::string &path) const; // of a file that may be long, a page; empty: it is not there
    std::optional<NumberSet> set(const std::string &path) const;    // a list, "0-3,8"
    std::vector<NumberRange> ranges(const std::string &path) const; // the same; empty also where it is missing
    std::optional<NumberSet> bitmap(const std::string &path) const; // "00000000,0000010f"
    std::optional<uint64_t> number(const std::string &path) const;
    std::vector<std::string> list(const std::string &folder) const; // sorted; empty: there is no such folder
    bool has_folder(const std::string &folder) const;
    std::string link(const std::string &path) const; // what a symbolic link says; empty: it is none

    // The numbers of what is in a folder and is called as `prefix` and a number: "cpu3", "node0".
    NumberSet numbered(const std::string &folder, const std::string &prefix) const;

    const std::string &root() const { return root_; }
    const Done &outcome() const { return outcome_; }

private:
    FilePort &files_;
    std::string root_;
    mutable Done outcome_;          // the first failure
    mutable std::size_t total_ = 0; // bytes read
};

// "a/b/c" of "a", "b" and "c".
std::string path_of(std::initializer_list<std::string_view> parts);

// The number at the begin of a text, after blanks.
std::optional<uint64_t> leading_number(const std::string &text);

// The number at the end of a name such as "node12"; nothing when the name is another.
std::optional<uint32_t> number_after(const std::string &name, const std::string &prefix);

// The value of a field "Name:   value", without the blanks, of a file of /proc.
std::optional<std::string> proc_field(const std::string &text, const std::string &name);

} // namespace nearpool
