// Wrong usage: what() is the one line that follows "finally-run: ", fit to be printed.
#pragma once

#include <cstddef>
#include <stdexcept>

namespace finally_run::cli {

// How much of a foreign word a message shows, in bytes: what is allowed must still fit the line.
inline constexpr std::size_t word_limit = 60;

class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace finally_run::cli
