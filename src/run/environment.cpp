#include "run/environment.hpp"

#include "plan/signal_name.hpp"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/random.h>

namespace finally_run::run {

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

void Environment::set_ending(const plan::Ending& ending, plan::Actor by) {
    set("FINALLY_RUN_RESULT", plan::name_of(ending.result));
    set("FINALLY_RUN_EXIT_CODE", std::to_string(ending.exit_code));
    set("FINALLY_RUN_SIGNAL", ending.signal != 0 ? plan::signal_name(ending.signal) : "");
    set("FINALLY_RUN_BY", plan::name_of(by));
}

void Environment::detach() {
    for (const char*& entry : m_block) {
        if (entry != nullptr) {
            m_own.emplace_back(entry);
            entry = m_own.back().c_str();
        }
    }
}

namespace {

std::uint64_t random_number() {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
        timespec now = {};
        ::clock_gettime(CLOCK_MONOTONIC, &now); // early at boot: better than nothing
        random = static_cast<std::uint64_t>(now.tv_nsec);
    }
    return random;
}

} // namespace

std::string random_name() { return fmt::format("{:016x}", random_number()); }

std::string new_run_id() {
    const auto random = static_cast<std::uint32_t>(random_number());
    // Not gmtime(3), which reads the time zone first.
    const auto time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}-{:08x}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), random);
}

} // namespace finally_run::run
