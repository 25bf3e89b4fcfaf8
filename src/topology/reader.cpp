// SPDX-License-Identifier: Apache-2.0
#include "topology/reader.hpp"

#include "topology/limits.hpp"

#include <algorithm>
#include <charconv>

namespace nearpool {

std::optional<std::string> Reader::text(const std::string &path) const {
    std::string result;
    const int error = files_.read_parts(root_ + path, [&](const char *part, std::size_t count) {
        result.append(part, count);
        return result.size() <= most_file_bytes;
    });
    total_ += result.size();
    if (total_ > most_read_bytes) {
        outcome_ = outcome_ ? fail(NEAR_E_TOPOLOGY, "the files under %s/ have more than %zu bytes", root_.c_str(),
                                   most_read_bytes)
                            : outcome_;
        return std::nullopt;
    }
    if (result.size() > most_file_bytes) {
        outcome_ = outcome_ ? fail(NEAR_E_TOPOLOGY, "%s%s has more than %zu bytes", root_.c_str(), path.c_str(),
                                   most_file_bytes)
                            : outcome_;
        return std::nullopt;
    }
    // The kernel ends what it writes with a line's end: what has no byte is masked.
    return error == 0 && !result.empty() ? std::optional(std::move(result)) : std::nullopt;
}

std::string Reader::beginning(const std::string &path) const {
    constexpr std::size_t enough = 4096;
    std::string result;
    files_.read_parts(root_ + path, [&](const char *part, std::size_t count) {
        result.append(part, count);
        return result.size() < enough;
    });
    return result;
}

std::optional<NumberSet> Reader::set(const std::string &path) const {
    const std::optional<std::string> read = text(path);
    return read ? NumberSet::parse(*read) : std::nullopt;
}

std::optional<NumberSet> Reader::bitmap(const std::string &path) const {
    const std::optional<std::string> read = text(path);
    return read ? NumberSet::parse_bitmap(*read) : std::nullopt;
}

std::vector<NumberRange> Reader::ranges(const std::string &path) const {
    return parse_ranges(text(path).value_or("")).value_or(std::vector<NumberRange>());
}

NumberSet Reader::numbered(const std::string &folder, const std::string &prefix) const {
    std::vector<uint32_t> numbers;
    for (const std::string &name : list(folder)) {
        if (const std::optional<uint32_t> number = number_after(name, prefix)) {
            numbers.push_back(*number);
        }
    }
    return NumberSet(std::move(numbers));
}

std::optional<uint64_t> Reader::number(const std::string &path) const {
    const std::optional<std::string> read = text(path);
    return read ? leading_number(*read) : std::nullopt;
}

std::vector<std::string> Reader::list(const std::string &folder) const {
    std::vector<std::string> names;
    if (files_.list(root_ + folder, &names) != 0) {
        names.clear();
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool Reader::has_folder(const std::string &folder) const {
    std::vector<std::string> names;
    return files_.list(root_ + folder, &names) == 0;
}

std::string Reader::link(const std::string &path) const {
    std::string target;
    return files_.read_link(root_ + path, &target) == 0 ? target : std::string();
}

std::string path_of(std::initializer_list<std::string_view> parts) {
    std::string path;
    for (const std::string_view part : parts) {
        path += path.empty() ? "" : "/";
        path += part;
    }
    return path;
}

std::optional<uint64_t> leading_number(const std::string &text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    uint64_t value = 0;
    const auto parsed = std::from_chars(text.data() + begin, text.data() + text.size(), value);
    return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<uint32_t> number_after(const std::string &name, const std::string &prefix) {
    const bool padded = name.size() > prefix.size() + 1 && name[prefix.size()] == '0'; // the kernel does not
    if (name.size() <= prefix.size() || name.compare(0, prefix.size(), prefix) != 0 || padded) {
        return std::nullopt;
    }
    uint32_t value = 0;
    const char *const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + prefix.size(), end, value);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(value) : std::nullopt;
}

std::optional<std::string> proc_field(const std::string &text, const std::string &name) {
    const std::string key = name + ":";
    std::size_t place = 0;
    while (text.compare(place, key.size(), key) != 0) {
        place = text.find('\n', place);
        if (place == std::string::npos) {
            return std::nullopt;
        }
        place++;
    }
    const std::size_t end = std::min(text.find('\n', place), text.size());
    const std::size_t begin = std::min(text.find_first_not_of(" \t", place + key.size()), end);
    return text.substr(begin, end - begin);
}

} // namespace nearpool
