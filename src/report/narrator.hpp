// Tells people and programs what happens: messages, CI sections, and the values of the report.
#pragma once

#include "cleanup/executor.hpp"
#include "engine/await.hpp"
#include "journal/state.hpp"
#include "lock/lock.hpp"
#include "plan/lock_loss.hpp"
#include "plan/plan.hpp"
#include "report/ci_log.hpp"
#include "report/json_report.hpp"
#include "report/messages.hpp"
#include "report/service_output.hpp"
#include "supervise/supervise.hpp"

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::report {

// By itself, whatever with.
[[nodiscard]] std::string how_service_ended(const os::WaitStatus& status);

// What is told to stop since a service has ended.
struct Stopped {
    std::string_view what = {};
    std::optional<bool> sent = {}; // whether the stop signal could be; nullopt: nothing is
};

class Narrator : public cleanup::Observer {
public:
    // `plan` and `environment` outlive this.
    Narrator(const plan::Plan& plan, const char* const* environment, std::string run_id);

    // finally-run itself failed: what, on which object, and why.
    void failed(std::string_view what, std::string_view object = {}, std::string_view reason = {});

    // The same, from an exception.
    void failed(const std::exception& error);

    // How long until it is to be said again; nullopt: not at all.
    text::Limit lock_awaited(const std::string& name, const std::optional<lock::Holder>& holder, text::Duration waited);
    void lock_wait_over(text::Duration waited);
    void lock_not_had(const lock::NotHad& not_had);
    // The same, of one at an engine: `holder` is what its helper says.
    text::Limit lock_awaited(const std::string& name, const std::string& holder, text::Duration waited);
    void lock_not_had(const engine::NotHad& not_had);
    void locks_had(const std::vector<engine::HeldLock>& at_engines);
    // It is said once. `sent`: the stop signal, to a step.
    void lock_lost(const plan::LockLoss& loss, std::optional<bool> sent = {});
    // They were given back, and nobody knows that they are free; nullopt: they are.
    void lock_not_freed(const std::optional<plan::LockLoss>& unknown);

    void setup_begins(const std::string& cmd);
    // An empty error: it succeeded.
    void setup_ends(const std::string& cmd, const cleanup::Outcome& outcome, text::Duration took);
    // Where the output of the services is, which belongs to what is said of their ends. Borrowed; nullptr: there is
    // none.
    void use(ServiceOutput* output) { m_service_output = output; }
    [[nodiscard]] ServiceOutput::When service_output_when() const;
    [[nodiscard]] bool has_colour() const { return m_messages.has_colour(); }
    void service_ready(const std::string& cmd, pid_t pid, text::Duration took);
    void service_awaited(const std::string& cmd, pid_t pid, std::string_view why, text::Duration so_far);
    // It was not started, or is not ready. `last`: what it wrote, as it has not been shown.
    void service_failed(const std::string& cmd, const cleanup::Outcome& outcome, const std::string& last,
                        text::Duration took);
    // While the command was still to end.
    void service_ended(const std::string& cmd, const os::WaitStatus& status, const std::string& last,
                       const Stopped& stopped);
    void noticed(const supervise::Notice& notice) override;
    void command_ended(text::Duration took);

    void begin(const cleanup::Cleanup& cleanup) override;
    void end(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration took) override;
    void retrying(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, unsigned next_try,
                  text::Duration pause) override;
    void moved(const cleanup::Cleanup& cleanup, std::string_view reason) override;

    // It came while the cleanup ran, which goes on. `way_out`: how a person need not wait for that.
    void on_signal(const cleanup::Cleanup& cleanup, const os::Signal& signal, const std::string& way_out = {});

    // The end of what the cleanups have written: their log stays if one of them has failed, and where it is is said. If
    // the run is remembered it goes along, with how it went as its last line.
    void output_ends(cleanup::Output& output, std::size_t failed, cleanup::Stack& stack);
    // Cleanups of an earlier run have failed, and stay registered.
    void failures_stay(const journal::State& state);
    // Something about the journal: each of these once.
    void journal_trouble(std::string_view what, std::string_view reason);
    // Somebody other than its supervisor finishes a run.
    void taken_over(plan::Actor by, const journal::State& state);
    // Whether anybody can read what is said.
    [[nodiscard]] static bool is_heard();
    void noted(std::string_view what, std::string_view object = {}, std::string_view reason = {});
    void detailed(std::string_view what, std::string_view object = {}, std::string_view reason = {}); // if verbose

    // The run is somebody else's: its report tells when and where that was started, and with what.
    void report_on(const journal::State& state);
    // Writes the report if the plan asks for one.
    void write_report(const plan::Ending& ending, plan::Actor by = plan::Actor::supervisor);

private:
    [[nodiscard]] std::string try_text(unsigned number) const;
    [[nodiscard]] std::string next_step(std::string_view run_id) const;
    void step_ended(std::string_view kind, const std::string& text, const cleanup::Outcome& outcome,
                    text::Duration took, std::vector<StepReport>& list, std::string_view next_step = {});

    const plan::Plan& m_plan;
    Messages m_messages;
    plan::Ci m_ci;
    CiLog m_ci_log;
    Report m_report;
    ServiceOutput* m_service_output = nullptr;
    bool m_signal_told = false;
    bool m_loss_told = false;
    std::vector<std::string> m_troubles; // told
};

} // namespace finally_run::report
