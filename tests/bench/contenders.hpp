// Who is started, and with which words.
#pragma once

#include "place.hpp"

#include <string>
#include <vector>

namespace finally_run::bench {

struct Contender {
    std::string name;
    Words words;
    bool ours = false;     // finally-run
    bool in_a_run = false; // with the environment of a run that is alive
    int starts = 1;        // how often in a round, as one
};

// Every one that removes a file removes victim(place), which has to be there.
[[nodiscard]] std::vector<Contender> contenders(const Place& place);
[[nodiscard]] std::string victim(const Place& place);

// Their names, where a goal compares them.
namespace name {
inline constexpr const char* twice = "true, twice";
inline constexpr const char* flock = "flock";
inline constexpr const char* flock_trap = "flock + sh trap";
inline constexpr const char* tini = "tini -s";
inline constexpr const char* dumb_init = "dumb-init";
inline constexpr const char* bare = "finally-run";
inline constexpr const char* lock = "finally-run --lock";
inline constexpr const char* lock_cleanup = "... --lock --cleanup";
inline constexpr const char* lock_remove = "... --lock --remove";
inline constexpr const char* defer = "... --defer";
} // namespace name

} // namespace finally_run::bench
