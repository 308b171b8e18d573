// What is said about a lock that somebody else has, while it is waited for and when it could not be had.
#pragma once

#include "lock/holder.hpp"
#include "report/messages.hpp"
#include "text/duration.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace finally_run::report {

// What a person needs first: the command and its pid, "make test (pid 4242 and 2 more, since 14:03:05), run ID, URL".
// Of the rest as much as fits into `columns`: the command is cut only to make room for its pid. nullopt: whole.
[[nodiscard]] std::string describe(const std::optional<lock::Holder>& holder, std::optional<std::size_t> columns = {});

// The time of day; with the date in front of it unless that is today's.
[[nodiscard]] std::string local_time(std::chrono::system_clock::time_point time,
                                     std::chrono::system_clock::time_point now);

// Says who is waited for. How long until it is to be said again; nullopt: not at all.
text::Limit say_waiting(Messages& messages, const std::string& name, const std::optional<lock::Holder>& holder,
                        text::Duration waited);

// The same, of a lock at an engine; `holder` is foreign text.
text::Limit say_waiting(Messages& messages, const std::string& name, std::string_view holder, text::Duration waited);

} // namespace finally_run::report
