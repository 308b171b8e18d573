#include "report/lock_wait.hpp"

#include "report/text.hpp"

#include <algorithm>
#include <ctime>
#include <fmt/core.h>
#include <initializer_list>

namespace finally_run::report {

namespace {

constexpr std::size_t least_of_command = 16; // columns: enough to know it again
constexpr std::size_t most_of_command = 200; // in a log
constexpr std::size_t most_of_name = 24;     // of the lock, on a terminal

std::tm local(std::chrono::system_clock::time_point time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts = {};
    ::localtime_r(&seconds, &parts);
    return parts;
}

// How long until a line of a log is followed by the next one: at 1 s, 10 s, 20 s, 40 s and so on.
text::Duration pause_after(text::Duration waited) {
    constexpr text::Duration second_line = std::chrono::seconds(10);
    constexpr text::Duration longest = std::chrono::minutes(30);
    return waited < second_line ? second_line - waited : std::min(waited, longest);
}

} // namespace

std::string local_time(std::chrono::system_clock::time_point time, std::chrono::system_clock::time_point now) {
    const std::tm then = local(time);
    const std::tm today = local(now);
    const bool same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
    return same_day ? fmt::format("{:02}:{:02}:{:02}", then.tm_hour, then.tm_min, then.tm_sec)
                    : fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", then.tm_year + 1900, then.tm_mon + 1, then.tm_mday,
                                  then.tm_hour, then.tm_min);
}

std::string describe(const std::optional<lock::Holder>& holder, std::optional<std::size_t> columns) {
    if (!holder) {
        return "a process that cannot be seen from here";
    }
    std::string who = holder->pid > 0 ? " (pid " + std::to_string(holder->pid) : " (in another pid namespace";
    if (holder->others > 0) {
        who.append(" and ").append(std::to_string(holder->others)).append(" more");
    }
    who.append(holder->cleaning_up ? ", cleaning up" : "");
    const std::string since = ", since " + local_time(holder->since, std::chrono::system_clock::now());
    const std::string run = holder->run_id.empty() ? "" : ", run " + shown(holder->run_id);
    const std::string job = holder->job_url.empty() ? "" : ", " + shown(holder->job_url);

    std::size_t room = columns.value_or(0); // for the command and what is optional
    room -= std::min(room, width_of(who) + 1);
    const auto fits = [&](const std::string& part) {
        if (!columns) {
            return true;
        }
        const bool enough = !part.empty() && room >= width_of(part) + least_of_command;
        room -= enough ? width_of(part) : 0;
        return enough;
    };
    who.append(fits(since) ? since : "").append(")");
    std::string rest;
    for (const std::string& part : {job, run}) {
        rest.append(fits(part) ? part : "");
    }
    return shown_within(holder->command, columns ? std::max(room, least_of_command) : most_of_command) + who + rest;
}

namespace {

// `who`: given the columns that are left for it, if there is a terminal.
template <class Who>
text::Limit say_waiting_for(Messages& messages, const std::string& name, text::Duration waited, const Who& who) {
    const std::string what = "waiting " + age_text(waited) + " for lock";
    std::string object = name;
    std::optional<std::size_t> room;
    if (const auto columns = messages.columns()) {
        object = end_of(shown(name), most_of_name);
        const std::size_t used = width_of(text_of({what, object, "x"})); // one more than what precedes the holder
        room = *columns - std::min(*columns, used);
    }
    switch (messages.transient(what, object, who(room))) {
    case Messages::Said::in_place:
        return std::chrono::seconds(1);
    case Messages::Said::as_a_line:
        return pause_after(waited);
    case Messages::Said::nothing:
        break;
    }
    return std::nullopt;
}

} // namespace

text::Limit say_waiting(Messages& messages, const std::string& name, const std::optional<lock::Holder>& holder,
                        text::Duration waited) {
    return say_waiting_for(messages, name, waited, [&](const auto& room) { return describe(holder, room); });
}

text::Limit say_waiting(Messages& messages, const std::string& name, std::string_view holder, text::Duration waited) {
    return say_waiting_for(messages, name, waited, [&](const auto& room) {
        return room ? shown_within(holder, std::max(*room, least_of_command)) : std::string(holder);
    });
}

} // namespace finally_run::report
