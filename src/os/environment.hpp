// The environment of what a run starts: its own, and what it adds.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::os {

// How many entries there are before the null that ends them.
[[nodiscard]] std::size_t count_entries(const char* const* block);

class Environment {
public:
    // `inherited` ends with a null and outlives this.
    explicit Environment(char* const* inherited);
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    // Replaces every entry of that name.
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);

    // From here on it owes nothing to the memory that it was made from.
    void detach();

    // Ends with a null; valid until a set() that adds a name.
    [[nodiscard]] const char* const* block() const { return m_block.data(); }

private:
    std::list<std::string> m_own; // one or more entries of ours; a list, since the block points into them
    std::vector<const char*> m_block;
};

} // namespace finally_run::os
