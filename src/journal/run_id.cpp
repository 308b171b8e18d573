#include "journal/run_id.hpp"

#include "os/random.hpp"

#include <chrono>
#include <cstdint>
#include <fmt/core.h>

namespace finally_run::journal {

std::string new_run_id() {
    const auto random = static_cast<std::uint32_t>(os::random_number());
    // Not gmtime(3), which reads the time zone first.
    const auto time = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}-{:08x}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), random);
}

} // namespace finally_run::journal
