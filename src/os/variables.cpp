#include "os/variables.hpp"

#include <algorithm>
#include <cstdlib>

namespace finally_run::os {

namespace {

bool is_of(std::string_view entry, std::string_view name) {
    return entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=';
}

} // namespace

std::string_view variable(const char* name) {
    const bool ours = std::string_view(name).starts_with("FINALLY_RUN_");
    const char* const value = ours ? ::secure_getenv(name) : std::getenv(name);
    return value != nullptr ? value : "";
}

const char* variable_in(const char* const* block, std::string_view name) {
    for (; block != nullptr && *block != nullptr; ++block) {
        if (is_of(*block, name)) {
            return *block + name.size() + 1;
        }
    }
    return nullptr;
}

std::string_view variable_in(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const std::string_view entry = text.substr(0, text.find('\0'));
        if (is_of(entry, name)) {
            return entry.substr(name.size() + 1);
        }
        text.remove_prefix(std::min(entry.size() + 1, text.size()));
    }
    return {};
}

} // namespace finally_run::os
