// The rules.
#include "verdict.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <sys/wait.h>

namespace finally_run::crash {

namespace {

struct Line {
    std::string who;
    std::string what;
    std::string pid;
    std::string session; // empty if nobody asks
};

std::vector<Line> lines_of(const std::vector<std::string>& log) {
    std::vector<Line> lines;
    for (const std::string& text : log) {
        const auto first = text.find(' ');
        const auto second = text.find(' ', first + 1);
        const auto third = std::min(text.find(' ', second + 1), text.size());
        lines.push_back({text.substr(0, first), text.substr(first + 1, second - first - 1),
                         text.substr(second + 1, third - second - 1),
                         third < text.size() ? text.substr(third + 1) : std::string()});
    }
    return lines;
}

// That something takes long may be said of any run on a busy machine.
bool has_more_than_waits(const std::string& err) {
    std::istringstream lines(err);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("finally-run: waiting ")) {
            return true;
        }
    }
    return false;
}

class Judge {
public:
    Judge(const Seen& seen, const Promise& promise, bool exits_are_told)
        : m_seen(seen), m_promise(promise), m_exits_are_told(exits_are_told), m_lines(lines_of(seen.log)) {}

    Verdict judge() {
        registered_cleanups();
        findings_of_cleanups();
        order_of_cleanups();
        failures();
        outlived();
        leftovers();
        m_seen.failed ? honest_failure() : status();
        return m_verdict;
    }

private:
    void set(Fault fault, bool value = true) {
        if (value) {
            m_verdict.faults.set(static_cast<std::size_t>(fault));
        }
    }
    [[nodiscard]] bool has(std::string_view who, std::string_view what) const {
        return std::any_of(m_lines.begin(), m_lines.end(),
                           [&](const Line& line) { return line.who == who && line.what == what; });
    }
    template <class Predicate> [[nodiscard]] bool any_cleanup(Predicate predicate) const {
        return std::any_of(m_promise.cleanups.begin(), m_promise.cleanups.end(), predicate);
    }
    [[nodiscard]] bool is_cleanup(const Line& line) const {
        return any_cleanup([&](const Cleanup& cleanup) { return cleanup.name == line.who; });
    }
    [[nodiscard]] bool has_finding(std::string_view what) const {
        return any_cleanup([&](const Cleanup& cleanup) { return has(cleanup.name, what); });
    }
    [[nodiscard]] bool is_due(const Cleanup& cleanup) const {
        return std::any_of(cleanup.due_after.begin(), cleanup.due_after.end(),
                           [&](const std::string& step) { return has(step, "begin"); });
    }
    [[nodiscard]] bool may_run_again(const std::string& name) const {
        return any_cleanup([&](const Cleanup& cleanup) { return cleanup.name == name && cleanup.fails; });
    }
    // One that fails has run to its end.
    [[nodiscard]] bool has_failed() const {
        return any_cleanup([&](const Cleanup& cleanup) { return cleanup.fails && has(cleanup.name, "end"); });
    }
    [[nodiscard]] bool exited_with(int code) const {
        return m_seen.status && WIFEXITED(*m_seen.status) && WEXITSTATUS(*m_seen.status) == code;
    }
    [[nodiscard]] bool complained() const { return m_seen.failed && !m_seen.err.empty(); }
    // A cleanup whose program cannot be run has failed, which is told; it was not lost.
    [[nodiscard]] bool could_not_run(const std::string& cleanup) const {
        return m_seen.failed_in_child && m_seen.err.find("crash_helper " + cleanup) != std::string::npos;
    }
    [[nodiscard]] bool lost(const std::string& cleanup) const {
        return !has(cleanup, "end") && !could_not_run(cleanup);
    }

    void registered_cleanups();
    void findings_of_cleanups();
    void order_of_cleanups();
    void failures();
    void outlived();
    void leftovers();
    void status();
    void honest_failure();

    const Seen& m_seen;
    const Promise& m_promise;
    bool m_exits_are_told;
    std::vector<Line> m_lines;
    Verdict m_verdict;
};

void Judge::registered_cleanups() {
    const bool begun = any_cleanup([&](const Cleanup& cleanup) { return is_due(cleanup); });
    set(Fault::lost, any_cleanup([&](const Cleanup& cleanup) { return is_due(cleanup) && lost(cleanup.name); }));
    set(begun ? Fault::lost : Fault::file, (m_seen.left_tree || m_seen.left_temp_dir) && !complained());
    const bool cleanup_first = any_cleanup([&](const Cleanup& cleanup) {
        return m_seen.first_program.find(' ' + cleanup.name + ' ') != std::string::npos;
    });
    set(Fault::baseless, cleanup_first && !complained());
}

void Judge::findings_of_cleanups() {
    set(Fault::alive, has_finding("alive"));
    for (const Line& line : m_lines) {
        if (line.what == "unlocked") {
            const auto& abandoned = m_seen.abandoned;
            const bool excused = std::find(abandoned.begin(), abandoned.end(), line.session) != abandoned.end();
            set(Fault::unlocked, !excused);
            m_verdict.excused = m_verdict.excused || excused;
        }
    }
    // Without a keeper there is no lock at the engine; who recovers has another one.
    set(Fault::unlocked, has_finding("unkept") && !m_seen.keeper_killed);
    // Whatever else a cleanup that begins too early may be, a removal to the right of it has not been made.
    set(Fault::again, has_finding("early") && !complained());
}

void Judge::order_of_cleanups() {
    std::vector<std::string> begun;
    std::vector<std::string> finished;
    const Line* current = nullptr;
    bool next_began = false;
    for (const Line& line : m_lines) {
        const bool begins = line.what == "begin";
        if (!is_cleanup(line)) {
            set(Fault::alive, begins && line.who != "next" && current != nullptr); // one that came to life too late
            next_began = next_began || line.who == "next";
            continue;
        }
        set(Fault::unlocked, next_began && !may_run_again(line.who));
        if (line.what == "end") {
            set(Fault::again, current == nullptr || current->pid != line.pid); // another has begun before this end
        }
        if (!begins) {
            continue;
        }
        const bool again = std::find(begun.begin(), begun.end(), line.who) != begun.end();
        // What has failed before is tried first again, which tells nothing of the end of the one before it.
        if (current != nullptr && current->who != line.who && !(again && may_run_again(line.who))) {
            finished.push_back(current->who);
        }
        set(Fault::again,
            !may_run_again(line.who) && std::find(finished.begin(), finished.end(), line.who) != finished.end());
        begun.push_back(line.who);
        current = &line;
    }
}

// What has failed is there until it has succeeded, and such a run is not told of as one that has ended.
void Judge::failures() {
    set(Fault::lost, has_failed() && !m_seen.failure_kept);
    // Where a call fails any cleanup may fail with it, and says so.
    set(Fault::file, !has_failed() && m_seen.failure_kept && !(m_seen.failed && complained()));
    set(Fault::file, has_failed() && m_seen.end_told && !m_seen.had_next_holder);
}

// A cleanup that has succeeded after the death of its maker is not run again, if whoever took over lives.
void Judge::outlived() {
    for (auto line = m_lines.begin(); line != m_lines.end(); ++line) {
        const auto comes_again = [&](const Line& later) { return later.who == line->who && later.what == "begin"; };
        set(Fault::again, m_exits_are_told && !m_seen.copy_killed && line->what == "outlived" &&
                              std::any_of(line, m_lines.end(), comes_again));
    }
}

void Judge::leftovers() {
    set(Fault::process, m_seen.left_process);
    set(Fault::locked, m_seen.left_lock);
    set(Fault::file, m_seen.left_file && !complained());
    // What it has found there stays until its own words have cleaned up.
    set(Fault::lost, m_seen.had_mark && !m_seen.left_mark && !has("anywhere", "end"));
    const bool is_older = m_seen.had_mark && m_lines.empty();
    set(Fault::file, m_seen.left_mark && !m_seen.keeper_killed && !is_older);
    // What ended well under its supervisor is not worth a record.
    const bool may_be_told = m_seen.supervisor_killed || m_seen.failed || m_seen.keeper_killed;
    set(Fault::file, m_seen.end_told && !may_be_told);
    set(Fault::hang, m_seen.hung);
}

// The command's own status, unless a signal came before its end.
void Judge::status() {
    if (m_seen.finisher_status) {
        constexpr int still_failed = 120;
        const int due = m_seen.recovered && has_failed() ? still_failed : 0;
        set(Fault::status, *m_seen.finisher_status != due << 8);
    }
    if (m_seen.supervisor_killed || !m_seen.status) {
        return;
    }
    const bool own = exited_with(0) && has("command", "end");
    const bool by_signal =
        m_seen.signal != 0 && WIFSIGNALED(*m_seen.status) && WTERMSIG(*m_seen.status) == m_seen.signal;
    constexpr int lost_lock = 121;
    const bool by_loss = m_seen.keeper_killed && exited_with(lost_lock) && !m_seen.err.empty();
    // Without its guardian before anything has begun it may as well give up and say so.
    const bool gave_up = m_seen.copy_killed && exited_with(125) && m_lines.empty() && !m_seen.err.empty();
    set(Fault::status, !own && !by_signal && !by_loss && !gave_up);
    const bool told = has_more_than_waits(m_seen.err);
    set(Fault::silent, own && m_seen.signal == 0 && !m_seen.copy_killed && told != (has_failed() || m_seen.had_mark));
}

// Either nothing has happened, in one line and with status 125, or the run went on; a success that was none is worst.
void Judge::honest_failure() {
    if (m_lines.empty() && m_seen.first_program.empty()) {
        set(Fault::status, !exited_with(125));
        set(Fault::silent, std::count(m_seen.err.begin(), m_seen.err.end(), '\n') != 1);
        return;
    }
    set(Fault::status, exited_with(0) && !has("command", "end"));
    set(Fault::silent, !m_seen.supervisor_killed && !has("command", "end") && m_seen.err.empty());
}

} // namespace

Verdict judge(const Seen& seen, const Promise& promise, bool exits_are_told) {
    return Judge(seen, promise, exits_are_told).judge();
}

std::string names_of(const Faults& faults) {
    std::string names;
    for (std::size_t number = 0; number < faults.size(); ++number) {
        if (faults.test(number)) {
            names.append(names.empty() ? "" : " ").append(fault_names.at(number));
        }
    }
    return names;
}

} // namespace finally_run::crash
