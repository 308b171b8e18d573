// The environment of what a run starts: its own, and what it adds.
#pragma once

#include "plan/result.hpp"

#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::run {

class Environment {
public:
    // `inherited` ends with a null and outlives this.
    explicit Environment(char* const* inherited);
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    // Replaces every entry of that name.
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    // FINALLY_RUN_RESULT and its like, for the cleanups.
    void set_ending(const plan::Ending& ending, plan::Actor by);

    // From here on it owes nothing to the memory that it was made from.
    void detach();

    // Ends with a null; valid until the next set().
    [[nodiscard]] const char* const* block() const { return m_block.data(); }

private:
    std::list<std::string> m_own; // entries of ours; a list, since the block points into them
    std::vector<const char*> m_block;
};

// An id for a run: its start in UTC and 32 random bits, "20260131T235959-5f3a9c2e". Sorts by time.
[[nodiscard]] std::string new_run_id();

// Sixteen characters that nobody can guess.
[[nodiscard]] std::string random_name();

} // namespace finally_run::run
