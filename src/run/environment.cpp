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

void Environment::set(std::string_view name, std::string_view value) {
    const std::string prefix = std::string(name).append("=");
    m_block.pop_back();
    std::erase_if(m_block, [&](const char* entry) { return std::strncmp(entry, prefix.c_str(), prefix.size()) == 0; });
    m_own.push_back(std::string(prefix).append(value));
    m_block.push_back(m_own.back().c_str());
    m_block.push_back(nullptr);
}

void Environment::set_ending(const plan::Ending& ending) {
    set("FINALLY_RUN_RESULT", plan::name_of(ending.result));
    set("FINALLY_RUN_EXIT_CODE", std::to_string(ending.exit_code));
    set("FINALLY_RUN_SIGNAL", ending.signal != 0 ? plan::signal_name(ending.signal) : "");
    set("FINALLY_RUN_BY", "supervisor");
}

std::string new_run_id() {
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
        timespec now = {};
        ::clock_gettime(CLOCK_MONOTONIC, &now); // early at boot: better than nothing
        random = static_cast<std::uint32_t>(now.tv_nsec);
    }
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
