#include "os/environment.hpp"

#include <cstring>

namespace finally_run::os {

std::size_t count_entries(const char* const* block) {
    std::size_t count = 0;
    while (block[count] != nullptr) {
        ++count;
    }
    return count;
}

Environment::Environment(char* const* inherited) {
    const std::size_t count = count_entries(inherited);
    constexpr std::size_t ours = 8; // that are set later
    m_block.reserve(count + ours);
    m_block.assign(inherited, inherited + count + 1);
}

void Environment::remove(std::string_view name) {
    const std::string prefix = std::string(name).append("=");
    const auto is_it = [&](const char* entry) {
        return entry != nullptr && std::strncmp(entry, prefix.c_str(), prefix.size()) == 0;
    };
    std::erase_if(m_block, is_it);
}

void Environment::set(std::string_view name, std::string_view value) {
    remove(name);
    m_own.push_back(std::string(name).append("=").append(value));
    m_block.back() = m_own.back().c_str();
    m_block.push_back(nullptr);
}

void Environment::detach() {
    std::size_t size = 0;
    for (const char* const entry : m_block) {
        size += entry != nullptr ? std::strlen(entry) + 1 : 0;
    }
    // One piece: the guardian does this right after the fork, when each page that it touches has to be copied.
    std::string& copy = m_own.emplace_back();
    copy.reserve(size);
    for (const char*& entry : m_block) {
        if (entry != nullptr) {
            const std::size_t begin = copy.size();
            copy.append(entry, std::strlen(entry) + 1);
            entry = copy.data() + begin;
        }
    }
}

} // namespace finally_run::os
