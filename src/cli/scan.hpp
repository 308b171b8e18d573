// Where does the command begin, and which options stand before it?
#pragma once

#include "cli/options.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace finally_run::cli {

struct Given {
    const Option* option;
    std::string_view value; // a piece of the word that held it, byte for byte; empty for an option that takes none
};

struct Scan {
    std::vector<Given> options; // from left to right; ends at --help or --version, which overrule all that follows
    std::vector<std::string_view> runs; // the words of --recover or --forget
    std::size_t command = 0;            // index of the command's first word; the number of words if there is none
};

// `words` is argv without the program's own name. Throws UsageError for an unknown option, a value that is missing or
// unwanted, and options that contradict each other. The values are not looked at.
[[nodiscard]] Scan scan(std::span<char* const> words);

[[nodiscard]] bool contains(const Scan& scan, Id id);

} // namespace finally_run::cli
