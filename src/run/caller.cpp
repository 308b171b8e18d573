#include "run/caller.hpp"

#include "os/ci.hpp"
#include "os/terminal.hpp"
#include "os/variables.hpp"

#include <csignal>

namespace finally_run::run {

os::Watched what_to_watch(plan::StopWithCaller wish, const CallerContext& context) {
    switch (wish) {
    case plan::StopWithCaller::never:
        return {};
    case plan::StopWithCaller::always:
        break;
    case plan::StopWithCaller::automatic:
        if (context.hangup_ignored || (!context.ci && !context.ssh_no_terminal)) {
            return {};
        }
        break;
    }
    // When the ssh client goes away, nobody is told: a shell in between lives on, and only the end of its reader shows.
    return {.caller = true, .stdout_reader = context.ssh_no_terminal};
}

os::Watched what_to_watch(plan::StopWithCaller wish, const os::Signals& signals) {
    if (wish == plan::StopWithCaller::never) {
        return {};
    }
    return what_to_watch(wish,
                         {.ci = os::in_ci(),
                          .ssh_no_terminal = !os::variable("SSH_CONNECTION").empty() && !os::has_controlling_terminal(),
                          .hangup_ignored = signals.ignored_at_entry(SIGHUP)});
}

} // namespace finally_run::run
