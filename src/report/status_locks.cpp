#include "report/status_locks.hpp"

#include "report/text.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <string_view>

namespace finally_run::report {

namespace {

// The process, its time and its run are the last that is cut away.
std::string line_of(std::string_view what, const LockUser& user, std::chrono::system_clock::time_point now,
                    std::size_t columns) {
    const std::string begin = fmt::format("  {:<8}", what);
    const bool age_known = user.since != std::chrono::system_clock::time_point();
    const std::string age = age_known ? ", " + age_text(now - user.since) : "";
    const std::string run = user.run_id.empty() ? "" : ", run " + shown(user.run_id);
    const std::string end = fmt::format(" ({}pid {}{}{})", user.shared ? "shared, " : "", user.pid, age, run);
    const std::size_t room = columns - std::min(columns, begin.size() + width_of(end));
    const std::string command = user.command.empty() ? "somebody who cannot be seen"
                                                     : shown_within(user.command, std::max<std::size_t>(room, 8));
    const std::string where = !user.at_engine        ? ""
                              : user.held_by.empty() ? "          at its engine\n"
                                                     : "          at its engine, held by " + shown(user.held_by) + '\n';
    return begin + command + end + '\n' + where;
}

} // namespace

std::string lock_lines(std::span<const LockStatus> locks, std::chrono::system_clock::time_point now,
                       std::size_t columns) {
    std::string text;
    for (const LockStatus& lock : locks) {
        text += "lock " + shown(lock.name) + '\n';
        for (const LockUser& holder : lock.holders) {
            text += line_of("held by", holder, now, columns);
        }
        for (const LockUser& waiter : lock.waiters) {
            text += line_of("waits", waiter, now, columns);
        }
    }
    return text;
}

} // namespace finally_run::report
