// The course of a trial.
#include "trial.hpp"

#include "calls.hpp"
#include "evidence.hpp"
#include "processes.hpp"
#include "repeats.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

constexpr auto time_limit = std::chrono::seconds(20);

// For what a finisher, or a guardian, could wrongly take for the end of a run whose last process is on its way.
constexpr auto time_held = std::chrono::milliseconds(60);

int signal_of(Blow blow) {
    switch (blow) {
    case Blow::term:
        return SIGTERM;
    case Blow::interrupt:
        return SIGINT;
    case Blow::hangup:
        return SIGHUP;
    default:
        return 0;
    }
}

class Trial {
public:
    Trial(const Scenario& scenario, const Row& row, Shot shot, const fs::path& directory)
        : m_scenario(scenario), m_row(row), m_shot(shot), m_directory(directory) {}

    Outcome run();

private:
    void make_directory() const;
    [[nodiscard]] Launch launch(std::vector<std::string> argv) const;
    void run_first();
    void run_finisher();
    void pump(pid_t until);
    void release();
    void at(const Point& point);
    [[nodiscard]] bool is_call_to_fail(const Point& point) const;
    void at_end_of(const Gone& gone, pid_t awaited);
    bool strike(Blow blow, const Point* point);
    [[nodiscard]] std::string describe() const;

    const Scenario& m_scenario;
    const Row& m_row;
    Shot m_shot;
    fs::path m_directory;
    Deadline m_deadline = Deadline::clock::now() + time_limit;
    Tracer m_tracer;
    Repeats m_repeats;
    pid_t m_supervisor = 0;
    bool m_armed = false; // the actor's points count
    bool m_idle = false;  // the shot had nobody to hit
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
}

Launch Trial::launch(std::vector<std::string> argv) const {
    const std::string here = m_directory.native();
    return {std::move(argv),
            {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + here, "TMPDIR=" + here + "/tmp", "LANG=C.UTF-8"},
            here,
            here + "/err"};
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
    if (m_idle) {
        m_tracer.kill_everybody();
        return m_outcome;
    }
    m_tracer.kill_everybody();
    m_seen.first_program = m_tracer.first_program();
    if (m_abandoned) {
        for (const pid_t pid : m_tracer.orphans()) {
            m_seen.abandoned.push_back(std::to_string(pid));
        }
    }
    look_around(m_directory, m_seen);
    const Verdict verdict = judge(m_seen);
    m_outcome.faults = verdict.faults;
    m_outcome.excused = verdict.excused;
    m_outcome.details = describe();
    return m_outcome;
}

void Trial::run_first() {
    m_armed = m_row.opening == Moment::start;
    m_tracer.count(m_row.actor, true);
    m_supervisor = m_tracer.start(Role::supervisor, launch(m_scenario.run(m_directory)));
    pump(m_supervisor);
    m_seen.status = m_last_status;
    if (m_idle || m_needs_finisher || m_seen.hung) {
        return;
    }
    if (m_seen.supervisor_killed) {
        pump(0);
        return;
    }
    m_seen.left_lock = lock_is_held(m_directory);
    m_seen.left_process = m_seen.left_process || has_children();
}

// A finisher that was killed, or that failed, is followed by another one.
void Trial::run_finisher() {
    m_armed = m_row.actor == Role::finisher;
    m_needs_finisher = false;
    pump(m_tracer.start(Role::finisher, launch(m_scenario.finish(m_directory, m_row.finisher))));
    const bool gave_up = m_seen.failed && m_last_status != 0;
    if ((m_needs_finisher || gave_up) && !m_seen.hung) {
        m_needs_finisher = false;
        pump(m_tracer.start(Role::finisher, launch(m_scenario.finish(m_directory, Finisher::recover))));
    }
    m_seen.finisher_status = m_last_status;
    if (m_tracer.alive(Role::guardian) && !m_seen.hung) {
        pump(0); // it was being made when both were killed
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
            if (!m_armed && m_row.first_blow != Blow::none && told->moment == m_row.opening) {
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
    } else if (gone.stranger && !m_seen.supervisor_killed) {
        m_seen.left_process = true;
    }
}

bool Trial::is_call_to_fail(const Point& point) const {
    if (!point.entry || point.call != m_shot.call) {
        return false;
    }
    const auto before = std::count_if(m_outcome.calls.begin(), m_outcome.calls.end(),
                                      [&](const Call& call) { return call.number == m_shot.call; });
    return static_cast<unsigned>(before) == m_shot.point;
}

void Trial::at(const Point& point) {
    if (point.pid == m_failing && !point.entry) {
        set_result(point.pid, result_of_failure(point.call, m_shot.error));
        m_failing = 0;
        m_tracer.count(m_row.actor, false);
        return;
    }
    if (point.role != m_row.actor || !m_armed || m_outcome.reached) {
        return;
    }
    if (m_repeats.is_repeat(point)) {
        ++m_outcome.repeats;
        return;
    }
    const unsigned number = m_outcome.points++;
    const bool here = m_shot.error != 0 ? is_call_to_fail(point) : number == m_shot.point;
    if (point.entry) {
        m_outcome.calls.push_back({number, point.call, point.in_child, point.polls});
    }
    if (!here) {
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
        m_tracer.count(m_row.actor, false);
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

bool Trial::strike(Blow blow, const Point* point) {
    bool hit = false;
    switch (blow) {
    case Blow::none:
        return true;
    case Blow::kill_supervisor:
    case Blow::kill_both:
        hit = m_tracer.kill(Role::supervisor);
        m_seen.supervisor_killed = m_seen.supervisor_killed || hit;
        if (blow == Blow::kill_both) {
            hit = m_tracer.kill(Role::guardian) || hit;
            m_needs_finisher = m_row.finisher != Finisher::none;
        }
        return hit;
    case Blow::kill_guardian:
        hit = m_tracer.kill(Role::guardian);
        m_seen.guardian_killed = hit;
        m_needs_finisher = hit && m_seen.supervisor_killed && m_row.finisher != Finisher::none;
        return hit;
    case Blow::kill_finisher:
        m_needs_finisher = m_tracer.kill(Role::finisher);
        return m_needs_finisher;
    case Blow::term:
    case Blow::interrupt:
    case Blow::hangup:
        m_seen.signal = signal_of(blow);
        return m_tracer.alive(Role::supervisor) && ::kill(m_supervisor, m_seen.signal) == 0;
    case Blow::fail_call:
        m_seen.failed = point->entry && !point->polls && may_fail_with(point->call, m_shot.error);
        m_seen.failed_in_child = m_seen.failed && point->in_child;
        if (m_seen.failed) {
            m_failing = point->pid;
            if (!has_effect_when_failing(point->call)) {
                skip_call(point->pid);
            }
        }
        return m_seen.failed;
    }
    return false;
}

} // namespace

Outcome run_trial(const Scenario& scenario, const Row& row, Shot shot, const fs::path& directory) {
    return Trial(scenario, row, shot, directory).run();
}

} // namespace finally_run::crash
