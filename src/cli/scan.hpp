// Where do the options end, and which ones stand there?
#pragma once

#include "cli/options.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::cli {

struct Scan {
    // From left to right, each as often as it is given; ends at --help or --version, which overrule all that follows.
    std::vector<const Option*> options;
    std::vector<std::string> words;     // those of these options, for CLI11 to take apart
    std::vector<std::string_view> runs; // the words of --recover, --stop or --forget
    std::size_t command = 0;            // index of the command's first word; the number of words if there is none
};

// `argv` is without the program's own name. Throws UsageError for an unknown option, a value of an option that takes
// none, and options that contradict each other. The values are not looked at; the last one may be missing.
[[nodiscard]] Scan scan(std::span<char* const> argv);

[[nodiscard]] bool contains(const Scan& scan, Id id);

} // namespace finally_run::cli
