#include "run/first_record.hpp"

#include "journal/fields.hpp"
#include "journal/frame.hpp"
#include "lock/lock_id.hpp"
#include "os/boot.hpp"
#include "os/ci.hpp"
#include "os/place.hpp"
#include "os/variables.hpp"
#include "run/kept_environment.hpp"

#include <chrono>
#include <climits>
#include <cstdint>
#include <fmt/core.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

namespace {

std::string checksum_of(std::span<char* const> command) {
    std::uint32_t sum = 0;
    for (const char* const word : command) {
        sum = journal::crc32c({word, std::string_view(word).size() + 1}, sum); // with its end
    }
    return fmt::format("{:08x}", sum);
}

// Enough for a person to recognise the run by. A long one ends with a checksum of all of it: runs of different commands
// never have the same.
std::string summary_of(std::span<char* const> command) {
    constexpr std::size_t longest = 500;
    std::string text;
    for (const char* const word : command) {
        text.append(text.empty() ? "" : " ").append(std::string_view(word).substr(0, longest + 1));
        if (text.size() > longest) {
            text.resize(longest);
            return text + "... #" + checksum_of(command);
        }
    }
    return text;
}

// A start in a directory that has been deleted works; only recovery will have to do without it.
plan::Place place_of_start() {
    try {
        return os::current_place();
    } catch (const std::exception&) {
        return {};
    }
}

} // namespace

journal::Opened first_record(const plan::Plan& plan, const std::string& run_id, bool own_group,
                             char* const* environment) {
    journal::Opened opened;
    opened.run_id = run_id;
    opened.boot_id = os::boot_id();
    opened.pid_namespace = os::pid_namespace();
    opened.session = ::getsid(0);
    opened.own_group = own_group;
    opened.place = place_of_start();
    opened.mask = ::umask(0);
    ::umask(opened.mask);
    opened.stop_signal = plan.stop_signal;
    opened.grace = plan.grace;
    opened.cleanup_timeout = plan.cleanup_timeout;
    opened.cleanup_retries = plan.cleanup_retries;
    opened.command = summary_of(plan.command);
    opened.job_url = os::job_url(os::variable);
    opened.outer = os::variable("FINALLY_RUN_JOURNAL");
    KeptEnvironment kept = kept_environment(environment, plan.keep_env);
    opened.environment = std::move(kept.entries);
    opened.withheld = std::move(kept.withheld);
    opened.host = {os::machine_id(), os::host_name(), os::time_namespace()};
    opened.drops_failed = plan.failed_cleanups == plan::FailedCleanups::drop;
    return opened;
}

void begin(journal::Opened& opened, const lock::Held& locks) {
    opened.supervisor = {::getpid(), os::boot_nanoseconds()};
    opened.started = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    for (const lock::LockFile& lock : locks) {
        opened.locks.push_back(lock::id_of(lock));
    }
}

std::uint64_t room_for(const plan::Plan& plan, const journal::Opened& opened) {
    // Of a cleanup: its registration, its start, its end or failure, and somewhat for more tries; of any step, that it
    // was begun and has ended. Then the command's, the end of the run, and a failure of the last cleanup.
    constexpr std::uint64_t for_step = 400;
    std::uint64_t room = for_step;
    for (const plan::Step& step : plan.steps) {
        room += for_step + journal::escaped(step.text).size();
        if (step.cleanup == plan::Cleanup::Kind::remove) { // by its whole path too
            room += journal::escaped(opened.place.path).size() + journal::escaped(step.text).size();
        }
    }
    for (const plan::LockRequest& lock : plan.locks) { // at an engine: who has it, since when, and its loss
        room += lock.is_at_engine() ? for_step + journal::escaped(lock.name).size() : 0;
    }
    if (!plan.report.empty()) { // by its whole path, with all the words
        room += PATH_MAX;
        for (const char* const word : plan.command) {
            room += journal::escaped(word).size() + 1;
        }
    }
    return room;
}

} // namespace finally_run::run
