// The services of a run, from their start until the command is over. Their stops are cleanups.
#pragma once

#include "os/reminder.hpp"
#include "os/wait_status.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"
#include "report/service_output.hpp"
#include "run/parts.hpp"

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::run {

class Services {
public:
    // How a CHECK that is a command went.
    struct Checked {
        std::string reason;                   // why it does not hold; empty: it does
        bool never = false;                   // ... and never will
        std::optional<plan::RunEnd> end = {}; // of the whole run: it was stopped
    };
    using Check = std::function<Checked(const std::string& cmd, const os::Deadline& deadline)>;

    // `output` is borrowed; nullptr: the plan has no service.
    Services(const Parts& run, report::ServiceOutput* output, Check check);
    Services(const Services&) = delete;
    Services& operator=(const Services&) = delete;
    ~Services();

    // Registers its stop, starts it and waits until it is ready. Returned is the end of the run, if it is not.
    [[nodiscard]] std::optional<plan::RunEnd> start(const plan::Step& step);
    // Whether one of them has been started, or would have been, but for its program.
    [[nodiscard]] bool begun() const { return m_begun; }

    // Whether one has ended by now that the run is to end with.
    [[nodiscard]] bool end_run();
    // Says which have ended. `sent`: the stop signal, to a step.
    void say_ended(const report::Stopped& stopped = {});

private:
    struct Service {
        std::string cmd;
        pid_t pid;
        std::uint64_t stop; // the id of that cleanup
        os::Clock::time_point since;
        std::optional<os::WaitStatus> status = {}; // it has ended
        bool said = false;
    };

    void hear(const siginfo_t& change);
    void reap() const;
    void say_ended(Service& service, const report::Stopped& stopped);
    // What keeps it from being started: somebody else is there already.
    [[nodiscard]] std::string taken(const plan::Step& step) const;
    [[nodiscard]] std::optional<plan::RunEnd> await_ready(std::size_t index, const plan::Step& step);
    // Until then, or until the service has ended; the end of the run if it was stopped meanwhile. `why`: it is not
    // ready.
    [[nodiscard]] std::optional<plan::RunEnd> watch(std::size_t index, const os::Deadline& end, const std::string& why,
                                                    os::Reminder& reminder);
    [[nodiscard]] std::optional<plan::RunEnd> pause(const os::Deadline& end) const;
    [[nodiscard]] bool has_ended(std::size_t index) const;
    [[nodiscard]] plan::RunEnd failed(const plan::Step& step, const cleanup::Outcome& outcome, std::uint64_t stop,
                                      text::Duration took);

    Parts m_run;
    report::ServiceOutput* m_output;
    Check m_check;
    std::vector<Service> m_services;
    std::optional<std::size_t> m_awaited; // to be ready
    bool m_begun = false;
};

} // namespace finally_run::run
