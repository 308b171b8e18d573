// Finds guardians and journals, and kills what is not to clean up.
#include "guard.hpp"

#include "journal/file.hpp"
#include "support/proc.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace finally_run::e2e {
namespace {

Unfinished leave(const Run& run, bool kill_ready) {
    const auto before = run_files();
    auto process = run.start();
    const auto ready = static_cast<pid_t>(number_after(process.wait_for_line("READY "), "READY "));
    kill_both(process);
    if (kill_ready) {
        ::kill(ready, SIGKILL);
        wait_for_end(ready);
    }
    for (const auto& path : run_files()) {
        const auto is_it = [&](const fs::path& one) { return one.filename() == path.filename(); }; // told of or not
        if (path.extension() == ".journal" && std::none_of(before.begin(), before.end(), is_it))
            return {path.stem(), path, ready};
    }
    throw std::runtime_error("the run has left no journal");
}

} // namespace

pid_t guardian_of(pid_t supervisor, pid_t old) {
    pid_t found = 0;
    wait_until("there is a guardian", [&] {
        for (const pid_t pid : test::guardians_of(supervisor))
            found = pid != old ? pid : found;
        return found != 0;
    });
    return found;
}

Outcome kill_supervisor(Process& process) {
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    wait_for_end(guardian);
    return process.finish();
}

Outcome finish_with_guardian(Process& process) {
    wait_for_end(process.pid()); // first: while it lives it may start somebody behind our look at /proc
    wait_until("nobody is left", [] { return leftovers().empty(); });
    return process.finish();
}

void kill_both(pid_t supervisor) {
    const pid_t guardian = guardian_of(supervisor);
    // Whoever dies first is noticed by the other. The guardian goes first: where it may have no session of its own, the
    // kernel continues it when its parent has ended.
    for (const pid_t pid : {guardian, supervisor}) {
        ::kill(pid, SIGSTOP);
        wait_for_state(pid, 'T');
    }
    ::kill(guardian, SIGKILL);
    ::kill(supervisor, SIGKILL);
    wait_for_end(supervisor);
    wait_for_end(guardian);
}

Outcome kill_both(Process& process) {
    kill_both(process.pid());
    return process.finish();
}

void wait_until_finishing() {
    wait_until("the guardian is at work",
               [] { return Run({"--status"}).run().out.find("finishing") != std::string::npos; });
}

Unfinished leave_unfinished(const Run& run) { return leave(run, true); }

Unfinished leave_alive(const Run& run) { return leave(run, false); }

fs::path runs_dir() { return state_dir() / ".runs"; }

std::vector<fs::path> run_files() {
    std::vector<fs::path> found;
    for (const auto& directory : {runs_dir(), runs_dir() / ".told"}) {
        if (!fs::exists(directory))
            continue;
        for (const auto& entry : fs::directory_iterator(directory)) {
            const std::string name = entry.path().filename();
            const bool is_of_told = entry.is_directory() && (name == ".told" || name.find_first_of("+=") == 0);
            if (!is_of_told)
                found.push_back(entry.path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

fs::path only_run_file() {
    const auto found = run_files();
    if (found.size() != 1)
        throw std::runtime_error("there are " + std::to_string(found.size()) + " files of runs");
    return found.front();
}

void edit_journal(const fs::path& path, const std::function<void(journal::Record&)>& edit) {
    std::string text;
    std::map<std::uint64_t, std::uint64_t> moved; // where the records were, and are now: cleanups go by that
    auto file = journal::File::open(path);
    for (auto& entry : file.read()) {
        edit(entry.record);
        if (auto* const started = std::get_if<journal::Started>(&entry.record);
            started != nullptr && started->what == journal::Started::What::cleanup)
            started->cleanup = moved.at(started->cleanup);
        if (auto* const finished = std::get_if<journal::CleanupEnded>(&entry.record); finished != nullptr)
            finished->cleanup = moved.at(finished->cleanup);
        if (auto* const failed = std::get_if<journal::CleanupFailed>(&entry.record); failed != nullptr)
            failed->cleanup = moved.at(failed->cleanup);
        if (auto* const asked = std::get_if<journal::StopAsked>(&entry.record); asked != nullptr)
            asked->cleanup = moved.at(asked->cleanup);
        moved[entry.offset] = text.size();
        text += journal::encode(entry.record);
    }
    write_file(path, text, 0600);
}

std::string log_text() { return read_file(work("log")); }

void wait_for_log(std::string_view part) {
    wait_until("the log has '" + std::string(part) + "'", [&] { return log_text().find(part) != std::string::npos; });
}

pid_t pid_in(std::string_view file) {
    wait_until("a pid is in " + std::string(file), [&] { return !read_file(work(file)).empty(); });
    return static_cast<pid_t>(number_after(read_file(work(file)), ""));
}

} // namespace finally_run::e2e
