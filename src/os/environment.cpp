#include "os/environment.hpp"

#include <cstring>

namespace finally_run::os {

Environment::Environment(char* const* inherited) {
    while (*inherited != nullptr) {
        m_block.push_back(*inherited++);
    }
    m_block.push_back(nullptr);
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
    for (const char*& entry : m_block) {
        if (entry != nullptr) {
            m_own.emplace_back(entry);
            entry = m_own.back().c_str();
        }
    }
}

} // namespace finally_run::os
