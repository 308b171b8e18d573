// The course of a trial.
#include "trial.hpp"

#include "calls.hpp"
#include "evidence.hpp"
#include "filter.hpp"
#include "marks.hpp"
#include "ordinals.hpp"
#include "processes.hpp"
#include "repeats.hpp"

#include "../support/kernel.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

constexpr auto time_limit = std::chrono::seconds(20);

// For what a finisher, or a guardian, could wrongly take for the end of a run whose last process is on its way.
constexpr auto time_held = std::chrono::milliseconds(60);

class Trial {
public:
    Trial(const Scenario& scenario, const Row& row, Shot shot, const fs::path& directory)
        : m_scenario(scenario), m_row(row), m_shot(shot), m_directory(directory), m_tracer(scenario.copies) {}

    Outcome run();

private:
    [[nodiscard]] bool explores() const { return m_shot.point == no_shot.point; }
    void make_directory() const;
    pid_t start(Role role, const Words& words, bool counted);
    void run_first();
    void run_finisher();
    void pump(pid_t until);
    void release();
    void at(const Point& point);
    [[nodiscard]] bool is_before_next(const Point& point) const;
    [[nodiscard]] std::optional<Reach> unnoticed(const Point& point) const;
    void note(const Point& point);
    void at_end_of(const Gone& gone, pid_t awaited);
    bool strike(const Blow& blow, const Point* point);
    bool kill(const std::vector<Role>& victims);
    bool fail_call(const Point& point);
    [[nodiscard]] std::string describe() const;

    const Scenario& m_scenario;
    const Row& m_row;
    Shot m_shot;
    fs::path m_directory;
    Deadline m_deadline = Deadline::clock::now() + time_limit;
    Tracer m_tracer;
    Repeats m_repeats;
    Ordinals m_ordinals;
    pid_t m_unchanged = 0; // has made a call since its last point that changes nothing there
    bool m_armed = false;  // the actor's points count
    bool m_idle = false;   // the shot had nobody to hit
    bool m_needs_finisher = false;
    bool m_abandoned = false; // at some time nobody of the run was left
    std::optional<Point> m_held;
    Deadline m_held_until;
    pid_t m_failing = 0; // stands between the entry of the failing call and its exit
    std::string m_place; // where the shot fell
    std::optional<int> m_last_status;
    Outcome m_outcome;
    Seen m_seen;
};

void Trial::make_directory() const {
    fs::remove_all(m_directory);
    fs::create_directories(m_directory / "state");
    fs::permissions(m_directory / "state", fs::perms::owner_all);
    fs::create_directory(m_directory / "tmp");
    if (m_scenario.unclean) {
        std::ofstream(m_directory / "unclean");
    }
}

Outcome Trial::run() {
    make_directory();
    forget_signals();
    run_first();
    // A guardian that cannot go on leaves the rest to whoever comes next.
    m_needs_finisher = m_needs_finisher || (m_seen.failed && m_seen.supervisor_killed);
    if (!m_idle && m_needs_finisher && !m_seen.hung) {
        run_finisher();
    }
    m_tracer.kill_everybody();
    m_outcome.missed = !explores() && m_place.empty();
    if (m_idle) {
        return m_outcome;
    }
    m_seen.first_program = m_tracer.first_program();
    if (m_abandoned) {
        for (const pid_t pid : m_tracer.orphans()) {
            m_seen.abandoned.push_back(std::to_string(pid));
        }
    }
    m_seen.had_mark = m_scenario.unclean;
    look_around(m_directory, m_scenario.promise, m_seen);
    const Verdict verdict = judge(m_seen, m_scenario.promise, test::kernel_tells_exits());
    m_outcome.faults = verdict.faults;
    m_outcome.excused = verdict.excused;
    m_outcome.details = describe();
    return m_outcome;
}

// `counted`: the actor is what is started, or a copy of it.
pid_t Trial::start(Role role, const Words& words, bool counted) {
    Launch launch = launch_of(words, m_scenario.environment, m_directory);
    if (counted) {
        const auto code = code_of(launch.argv.front());
        if (code) {
            launch.filter = filter_for(*code, explores() ? std::nullopt : std::optional(m_shot.call));
        }
        m_tracer.count(m_row.actor, code.has_value());
    }
    return m_tracer.start(role, launch);
}

void Trial::run_first() {
    m_armed = m_row.opening.empty();
    const bool comes_later = m_row.actor == Role::passer_by || m_row.actor == Role::finisher;
    pump(start(Role::supervisor, m_scenario.run, !comes_later));
    m_seen.status = m_last_status;
    if (m_idle || m_needs_finisher || m_seen.hung) {
        return;
    }
    if (m_seen.supervisor_killed || m_seen.keeper_killed) { // what it has started dies with a keeper, but not at once
        pump(0);
        return;
    }
    m_seen.left_lock = lock_is_held(m_directory);
    m_seen.left_process = m_seen.left_process || has_children();
}

// A finisher that was killed, or that failed, is followed by another one.
void Trial::run_finisher() {
    m_needs_finisher = false;
    if (!m_scenario.passer_by.empty()) {
        m_armed = m_row.actor == Role::passer_by;
        pump(start(Role::passer_by, m_scenario.passer_by, m_armed));
        m_needs_finisher = false;
    }
    m_armed = m_row.actor == Role::finisher;
    const bool recovers = m_row.finisher == Finisher::recover;
    m_seen.recovered = recovers;
    m_seen.had_next_holder = !recovers;
    pump(start(Role::finisher, recovers ? m_scenario.recover : m_scenario.next_holder, m_armed));
    const bool gave_up = m_seen.failed && m_last_status != 0;
    if ((m_needs_finisher || gave_up) && !m_seen.hung) {
        m_needs_finisher = false;
        m_seen.recovered = true;
        pump(start(Role::finisher, m_scenario.recover, false));
    }
    m_seen.finisher_status = m_last_status;
    if ((m_tracer.alive(Role::guardian) || m_seen.keeper_killed) && !m_seen.hung) {
        pump(0); // it was being made when both were killed, or what the keeper had started is on its way
    }
    while (::waitpid(-1, nullptr, __WALL | WNOHANG) > 0) {
    }
    m_seen.left_process = has_running_children();
}

void Trial::release() {
    if (m_held) {
        m_tracer.proceed(*m_held);
        m_held.reset();
    }
}

// Until this process has ended or somebody else has to be started.
void Trial::pump(pid_t until) {
    for (;;) {
        const Event event = m_tracer.next(m_held ? m_held_until : m_deadline);
        if (const auto* const point = std::get_if<Point>(&event)) {
            at(*point);
            if (!m_held || m_held->pid != point->pid) {
                m_tracer.proceed(*point);
            }
        } else if (const auto* const gone = std::get_if<Gone>(&event)) {
            at_end_of(*gone, until);
            if (gone->pid == until) {
                release();
                return;
            }
        } else if (const auto* const told = std::get_if<Told>(&event)) {
            if (!m_armed && told->mark == mark_of(m_row.opening.c_str())) {
                strike(m_row.first_blow, nullptr);
                m_abandoned = m_abandoned || m_needs_finisher;
                m_armed = true;
            }
        } else if (std::holds_alternative<NobodyLeft>(event)) {
            return;
        } else if (m_held) {
            release();
        } else {
            m_seen.hung = true;
            m_tracer.kill_everybody();
            return;
        }
        if (m_idle || m_needs_finisher) {
            return;
        }
    }
}

void Trial::at_end_of(const Gone& gone, pid_t awaited) {
    if (gone.pid == awaited) {
        m_last_status = gone.status;
    } else if (gone.stranger && !m_seen.supervisor_killed && !m_seen.keeper_killed) {
        m_seen.left_process = true;
    }
}

// What a process does between two calls nobody sees: after the one and before the next is one point. It is two after
// what makes a process, which has begun to run before the next call, and for a signal that is not blocked, which comes
// in between.
bool Trial::is_before_next(const Point& point) const {
    if (point.entry || makes_process(point.call)) {
        return false;
    }
    return m_row.blow.signal == 0 || m_row.blow.signalled != point.role || blocks(point.pid, m_row.blow.signal);
}

// Whoever is killed before a call leaves what it leaves after it, unless others may have seen it. A signal that waits
// finds the same, unless the call looked for it. A child that goes on may look whether its maker lives.
std::optional<Reach> Trial::unnoticed(const Point& point) const {
    const Blow& blow = m_row.blow;
    const bool hit = std::ranges::find(blow.killed, point.role) != blow.killed.end() ||
                     (blow.signal != 0 && blow.signalled == point.role);
    if (!hit) {
        return std::nullopt;
    }
    return point.in_child ? Reach::nothing : blow.signal != 0 ? Reach::names : Reach::state;
}

void Trial::note(const Point& point) {
    const unsigned ordinal = m_ordinals.of(point);
    const bool repeats = m_repeats.is_repeat(point);
    const auto most = unnoticed(point);
    const bool unchanged = point.entry ? m_unchanged == point.pid : most && point.reach <= *most;
    m_unchanged = 0;
    if (is_before_next(point)) {
        m_unchanged = unchanged ? point.pid : 0;
        return;
    }
    if (repeats || unchanged) {
        ++m_outcome.repeats;
    } else {
        const auto number = static_cast<unsigned>(m_outcome.points.size());
        m_outcome.points.push_back({number, point.call, ordinal, point.entry, point.in_child, point.polls});
    }
}

void Trial::at(const Point& point) {
    if (point.pid == m_failing && !point.entry) {
        set_result(point.pid, result_of_failure(point.call, m_shot.error));
        m_failing = 0;
        m_tracer.count(std::nullopt);
        return;
    }
    if (point.role != m_row.actor || !m_armed || m_outcome.reached) {
        return;
    }
    if (explores()) {
        note(point);
        return;
    }
    if (point.call != m_shot.call || m_ordinals.of(point) != m_shot.ordinal || point.entry != m_shot.entry) {
        return;
    }
    m_outcome.reached = true;
    m_place = std::string(point.entry ? "before " : "after ")
                  .append(name_of_call(point.call))
                  .append(point.in_child ? " in a child" : "");
    const bool hit = strike(m_row.blow, &point);
    m_abandoned = m_abandoned || m_needs_finisher;
    m_idle = !hit;
    m_outcome.reached = hit;
    if (m_failing == 0) {
        m_tracer.count(std::nullopt);
    }
    if (m_row.hold_child && hit) {
        m_held = point;
        m_held_until = Deadline::clock::now() + time_held;
    }
}

std::string Trial::describe() const {
    std::string text = m_row.name;
    text.append(", point ").append(std::to_string(m_shot.point)).append(" (").append(m_place).append(")");
    if (m_shot.error != 0) {
        text.append(" fails with ").append(::strerrorname_np(m_shot.error));
    }
    return text.append(": ").append(names_of(m_outcome.faults)).append("\n").append(to_text(m_seen));
}

// False if nobody was there to be hit.
bool Trial::strike(const Blow& blow, const Point* point) {
    if (blow.signal != 0) {
        m_seen.signal = blow.signal;
        return m_tracer.signal(blow.signalled, blow.signal);
    }
    return blow.fails_call ? fail_call(*point) : kill(blow.killed);
}

bool Trial::kill(const std::vector<Role>& victims) {
    bool hit = false;
    bool hit_finisher = false;
    for (const Role victim : victims) {
        if (m_tracer.kill(victim)) {
            hit = true;
            hit_finisher = hit_finisher || victim == Role::finisher;
            m_seen.supervisor_killed = m_seen.supervisor_killed || victim == Role::supervisor;
            m_seen.keeper_killed = m_seen.keeper_killed || victim == Role::keeper;
            m_seen.copy_killed = m_seen.copy_killed || !is_started(victim);
        }
    }
    m_needs_finisher = hit && m_row.finisher != Finisher::none && (hit_finisher || !m_tracer.anybody_alive());
    return hit;
}

bool Trial::fail_call(const Point& point) {
    if (!point.entry || point.polls || !may_fail_with(point.call, m_shot.error)) {
        return false;
    }
    m_seen.failed = true;
    m_seen.failed_in_child = point.in_child;
    m_failing = point.pid;
    if (!has_effect_when_failing(point.call)) {
        skip_call(point.pid);
    }
    return true;
}

} // namespace

Outcome run_trial(const Scenario& scenario, const Row& row, Shot shot, const fs::path& directory) {
    return Trial(scenario, row, shot, directory).run();
}

} // namespace finally_run::crash
