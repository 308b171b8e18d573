#include "supervise/policy.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <vector>

using namespace finally_run;
using os::WaitStatus;
using plan::Result;
using supervise::Policy;
using supervise::Reaction;

namespace {

constexpr bool terminal = true; // the command shares our group
constexpr bool no_terminal = false;

os::Signal typed(int number) { return {number, true}; }
os::Signal sent(int number) { return {number, false}; }

} // namespace

TEST_CASE("what the terminal sent to the whole group is not sent a second time") {
    Policy policy(terminal, SIGTERM);
    for (const int number : {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH}) {
        CAPTURE(number);
        CHECK(policy.on_signal(typed(number), terminal).send == 0);
    }
}

TEST_CASE("what somebody sent to us alone is sent on once, and so is a hang-up of the terminal") {
    Policy policy(terminal, SIGTERM);
    for (const int number : {SIGINT, SIGQUIT, SIGTSTP, SIGUSR1, SIGWINCH, SIGCONT, SIGRTMIN}) {
        CAPTURE(number);
        CHECK(policy.on_signal(sent(number), terminal).send == number);
    }
    CHECK(policy.on_signal(typed(SIGHUP), terminal).send == SIGHUP);
}

TEST_CASE("the hang-up of a terminal whose session we lead goes to the whole group, and no other does") {
    constexpr bool leader = true;
    CHECK(Policy(terminal, SIGTERM, leader).on_signal(typed(SIGHUP), terminal).to_group);
    CHECK_FALSE(Policy(terminal, SIGTERM, leader).on_signal(sent(SIGHUP), terminal).to_group);
    CHECK_FALSE(Policy(terminal, SIGTERM, leader).on_signal(typed(SIGHUP), no_terminal).to_group);
    CHECK_FALSE(Policy(terminal, SIGTERM).on_signal(typed(SIGHUP), terminal).to_group);
    CHECK_FALSE(Policy(terminal, SIGTERM, leader).on_signal(typed(SIGINT), terminal).to_group);
}

TEST_CASE("what was sent to everybody is not sent on, and stops all the same") {
    using supervise::Told;
    for (const bool place : {terminal, no_terminal}) {
        Policy policy(place, SIGTERM);
        for (const int number : {SIGUSR1, SIGCONT, SIGTSTP, SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
            CAPTURE(number);
            CHECK(policy.on_signal(sent(number), place, Told::everybody).send == 0);
        }
        CHECK(policy.stopping());
    }
    CHECK(Policy(terminal, SIGTERM).on_signal(sent(SIGTERM), terminal, Told::everybody).start_grace);
}

TEST_CASE("who was sent the stop signal by others than us was told") {
    using supervise::Told;
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM}) {
        CAPTURE(number);
        Policy everybody(terminal, SIGTERM);
        static_cast<void>(everybody.on_signal(sent(number), terminal, Told::everybody));
        CHECK(everybody.told() == number);
        Policy us(terminal, SIGTERM);
        static_cast<void>(us.on_signal(sent(number), terminal, Told::us));
        CHECK(us.told() == 0);
    }
}

TEST_CASE("what the command's own group sends to us does not come back to it, unless it means stop") {
    using supervise::Told;
    for (const bool place : {terminal, no_terminal}) {
        Policy policy(place, SIGTERM);
        for (const int number : {SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH, SIGRTMIN}) {
            CAPTURE(number);
            CHECK(policy.on_signal(sent(number), place, Told::sender).send == 0);
        }
        CHECK_FALSE(policy.stopping());
        for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
            CAPTURE(number);
            CHECK(policy.on_signal(sent(number), place, Told::sender).send == number);
        }
        CHECK(policy.stopping());
    }
}

TEST_CASE("a hang-up of which the kernel told the whole group is sent to nobody") {
    Policy policy(terminal, SIGTERM, true);
    const Reaction reaction = policy.on_signal(typed(SIGHUP), terminal, supervise::Told::everybody);
    CHECK(reaction.send == 0);
    CHECK_FALSE(reaction.to_group);
    CHECK(reaction.start_grace);
}

TEST_CASE("a command in a group of its own gets everything through us") {
    Policy policy(no_terminal, SIGTERM);
    CHECK(policy.on_signal(typed(SIGINT), no_terminal).send == SIGINT);
}

TEST_CASE("TERM and HUP start the grace period once, INT and QUIT never") {
    for (const int number : {SIGTERM, SIGHUP}) {
        Policy policy(no_terminal, SIGTERM);
        CHECK(policy.on_signal(sent(number), no_terminal).start_grace);
        CHECK_FALSE(policy.on_signal(sent(number), no_terminal).start_grace);
    }
    Policy policy(no_terminal, SIGTERM);
    CHECK_FALSE(policy.on_signal(sent(SIGINT), no_terminal).start_grace);
    CHECK_FALSE(policy.on_signal(sent(SIGQUIT), no_terminal).start_grace);
    CHECK_FALSE(policy.stopping());
}

TEST_CASE("a time limit and a vanished caller send the stop signal and start the grace period") {
    Policy limited(no_terminal, SIGINT);
    const Reaction reaction = limited.on_time_limit();
    CHECK(reaction.send == SIGINT);
    CHECK(reaction.start_grace);
    CHECK(limited.on_caller_gone().send == 0); // it is being stopped already

    Policy abandoned(no_terminal, SIGUSR2);
    CHECK(abandoned.on_caller_gone().send == SIGUSR2);
}

TEST_CASE("a stopped command is continued so that it can act on the signal that ends it") {
    Policy policy(no_terminal, SIGTERM);
    CHECK_FALSE(policy.on_signal(sent(SIGINT), no_terminal).then_continue);
    static_cast<void>(policy.on_command_stopped(SIGSTOP));
    CHECK(policy.on_signal(sent(SIGTERM), no_terminal).then_continue);
    CHECK(policy.on_signal(sent(SIGINT), no_terminal).then_continue);
    policy.on_command_continued();
    CHECK_FALSE(policy.on_signal(sent(SIGTERM), no_terminal).then_continue);
}

TEST_CASE("KILL as the stop signal needs no continuing and takes the session-mates along") {
    Policy policy(no_terminal, SIGKILL);
    static_cast<void>(policy.on_command_stopped(SIGSTOP));
    const Reaction reaction = policy.on_time_limit();
    CHECK(reaction.send == SIGKILL);
    CHECK(reaction.kill);
    CHECK_FALSE(reaction.then_continue);
}

TEST_CASE("job control signals stop us when they have stopped the command, and for sure without a terminal") {
    Policy on_terminal(terminal, SIGTERM);
    CHECK(on_terminal.on_signal(typed(SIGTSTP), terminal).stop_self == 0);
    CHECK(on_terminal.on_command_stopped(SIGTSTP).stop_self == SIGTSTP);
    Policy alone(no_terminal, SIGTERM);
    CHECK(alone.on_signal(sent(SIGTSTP), no_terminal).stop_self == 0);
    CHECK(alone.on_command_stopped(SIGTSTP).stop_self == SIGSTOP);
    CHECK(alone.on_signal(sent(SIGTSTP), no_terminal).stop_self == SIGSTOP); // it stands still already
}

TEST_CASE("when a command on the terminal stops itself for job control, we stop as well") {
    Policy policy(terminal, SIGTERM);
    CHECK(policy.on_command_stopped(SIGTTIN).stop_self == SIGTTIN);
    CHECK(policy.on_command_stopped(SIGSTOP).stop_self == SIGTSTP); // a shell on `suspend`
    Policy alone(no_terminal, SIGTERM);
    CHECK(alone.on_command_stopped(SIGTSTP).stop_self == 0);
}

TEST_CASE("the SIGCONT that woke us is not passed on to a command that runs already") {
    Policy policy(terminal, SIGTERM);
    static_cast<void>(policy.on_command_stopped(SIGTSTP));
    policy.on_self_continued();
    policy.on_command_continued();
    CHECK(policy.on_signal(sent(SIGCONT), terminal).send == 0);
    CHECK(policy.on_signal(sent(SIGCONT), terminal).send == SIGCONT); // this one is news
}

TEST_CASE("the SIGCONT that woke us alone is passed on, and the command's stop is not mirrored before") {
    Policy policy(terminal, SIGTERM);
    policy.on_self_continued();
    CHECK(policy.on_command_stopped(SIGTSTP).stop_self == 0);
    CHECK(policy.on_signal(sent(SIGCONT), terminal).send == SIGCONT);
    CHECK(policy.on_command_stopped(SIGTSTP).stop_self == SIGTSTP);
    Policy alone(no_terminal, SIGTERM);
    alone.on_self_continued();
    CHECK(alone.on_signal(sent(SIGCONT), no_terminal).send == SIGCONT);
}

TEST_CASE("a Ctrl+Z that comes right after a resumption is followed although its stop is seen first") {
    Policy policy(terminal, SIGTERM);
    policy.on_self_continued(); // and before its SIGCONT is read, the next stop discards that
    CHECK(policy.on_command_stopped(SIGTSTP).stop_self == 0);
    CHECK(policy.on_signal(typed(SIGTSTP), terminal).stop_self == SIGTSTP);
}

TEST_CASE("a Ctrl+Z that comes between our SIGCONT and the look at the command is followed and not undone") {
    Policy policy(terminal, SIGTERM);
    static_cast<void>(policy.on_command_stopped(SIGTSTP));
    policy.on_self_continued();
    policy.on_command_continued();
    // SIGCONT has been read, then comes Ctrl+Z: what the command does is asked for first.
    CHECK(policy.on_command_stopped(SIGTSTP).stop_self == SIGTSTP);
    CHECK(policy.on_signal(sent(SIGCONT), terminal).send == 0);
    policy.on_self_continued();
    CHECK(policy.on_command_stopped(SIGTSTP).stop_self == 0); // not seen to run again: an old stop, or a new one
    CHECK(policy.on_signal(sent(SIGCONT), terminal).send == SIGCONT);
}

TEST_CASE("a command that ends by itself is a success, a failure or the victim of a signal") {
    Policy policy(no_terminal, SIGTERM);
    CHECK(policy.ending(WaitStatus::exited(0)).result == Result::success);
    CHECK(policy.ending(WaitStatus::exited(130)).result == Result::failure);
    CHECK(policy.ending(WaitStatus::exited(130)).signal == 0);
    const plan::Ending killed = policy.ending(WaitStatus::killed(SIGSEGV));
    CHECK(killed.result == Result::signal);
    CHECK(killed.signal == SIGSEGV);
    CHECK(killed.exit_code == 128 + SIGSEGV);
}

TEST_CASE("a command that was told to stop was stopped, whatever its status") {
    Policy policy(no_terminal, SIGTERM);
    static_cast<void>(policy.on_signal(sent(SIGTERM), no_terminal));
    static_cast<void>(policy.on_time_limit()); // too late to be the reason
    const plan::Ending ending = policy.ending(WaitStatus::exited(0));
    CHECK(ending.result == Result::stopped);
    CHECK(ending.exit_code == 0);
    CHECK(ending.signal == SIGTERM);
    CHECK(policy.was_stopped(WaitStatus::exited(0)));
}

TEST_CASE("an INT that the command survived, to succeed in the end, has stopped nothing") {
    Policy policy(terminal, SIGTERM);
    static_cast<void>(policy.on_signal(typed(SIGINT), terminal));
    CHECK_FALSE(policy.was_stopped(WaitStatus::exited(0)));
    CHECK(policy.ending(WaitStatus::exited(0)).result == Result::success);
    CHECK(policy.was_stopped(WaitStatus::exited(130)));
    CHECK(policy.ending(WaitStatus::killed(SIGINT)).result == Result::stopped);
}

TEST_CASE("a time limit is 124, a vanished caller leaves the status alone") {
    Policy limited(no_terminal, SIGTERM);
    static_cast<void>(limited.on_time_limit());
    CHECK(limited.ending(WaitStatus::exited(0)).exit_code == 124);
    CHECK(limited.ending(WaitStatus::killed(SIGKILL)).result == Result::timeout);
    Policy abandoned(no_terminal, SIGTERM);
    static_cast<void>(abandoned.on_caller_gone());
    CHECK(abandoned.ending(WaitStatus::exited(7)).exit_code == 7);
    CHECK(abandoned.ending(WaitStatus::exited(7)).result == Result::caller_gone);
}

TEST_CASE("a lost lock stops the command and is 121 whatever its status and whatever stopped it before") {
    Policy policy(no_terminal, SIGUSR2);
    const auto reaction = policy.on_lock_lost();
    CHECK(reaction.send == SIGUSR2);
    CHECK(reaction.start_grace);
    CHECK(policy.was_stopped(WaitStatus::exited(0)));
    CHECK(policy.leftover_signal() == SIGUSR2);
    CHECK(policy.ending(WaitStatus::exited(0)).result == Result::lock_lost);
    CHECK(policy.ending(WaitStatus::exited(7)).exit_code == 121);

    Policy limited(no_terminal, SIGTERM);
    static_cast<void>(limited.on_time_limit());
    const auto late = limited.on_lock_lost();
    CHECK(late.send == 0);
    CHECK_FALSE(late.start_grace);
    CHECK(limited.ending(WaitStatus::exited(0)).result == Result::lock_lost);
}

TEST_CASE("what the command leaves behind gets the stop signal after a time limit, and TERM otherwise") {
    Policy limited(no_terminal, SIGINT);
    static_cast<void>(limited.on_time_limit());
    CHECK(limited.leftover_signal() == SIGINT);
    Policy stopped(no_terminal, SIGINT);
    static_cast<void>(stopped.on_signal(sent(SIGHUP), no_terminal));
    CHECK(stopped.leftover_signal() == SIGTERM);
    CHECK(Policy(no_terminal, SIGINT).leftover_signal() == SIGTERM);
}

TEST_CASE("what is typed is sent on to a command that has left our group") {
    Policy policy(terminal, SIGTERM);
    CHECK(policy.on_signal(typed(SIGINT), false).send == SIGINT);
    CHECK(policy.on_signal(typed(SIGTSTP), false).send == SIGTSTP);
}

TEST_CASE("a command that stops instead of ending does not stop us too, so that its grace period ends") {
    Policy policy(terminal, SIGTERM);
    static_cast<void>(policy.on_signal(sent(SIGTERM), terminal));
    CHECK(policy.on_signal(typed(SIGTTIN), terminal).stop_self == 0);
    CHECK(policy.on_command_stopped(SIGTTIN).stop_self == 0);
}

TEST_CASE("a rewritten signal is passed on as the other one, and one without a rule as it is") {
    const std::vector<plan::Rewrite> rewrites{{SIGUSR1, SIGUSR2}, {SIGINT, SIGWINCH}};
    Policy policy(no_terminal, SIGTERM, false, rewrites);
    CHECK(policy.on_signal(sent(SIGUSR1), no_terminal).send == SIGUSR2);
    CHECK(policy.on_signal(sent(SIGUSR2), no_terminal).send == SIGUSR2);
    CHECK(policy.on_signal(sent(SIGINT), no_terminal).send == SIGWINCH);
    CHECK(policy.stop_request() == 0);
    CHECK(policy.on_signal(sent(SIGTERM), no_terminal).send == SIGTERM);
}

TEST_CASE("a stop that is rewritten to INT or QUIT has its grace period, and to another signal stops nothing") {
    const std::vector<plan::Rewrite> rewrites{{SIGTERM, SIGQUIT}, {SIGHUP, SIGUSR1}};
    Policy policy(no_terminal, SIGTERM, false, rewrites);
    const Reaction reload = policy.on_signal(sent(SIGHUP), no_terminal);
    CHECK(reload.send == SIGUSR1);
    CHECK_FALSE(reload.start_grace);
    CHECK_FALSE(policy.stopping());
    const Reaction stop = policy.on_signal(sent(SIGTERM), no_terminal);
    CHECK(stop.send == SIGQUIT);
    CHECK(stop.start_grace);
    CHECK(policy.told() == SIGQUIT);
    CHECK(policy.ending(WaitStatus::exited(0)) == plan::Ending{Result::stopped, 0, SIGQUIT});
}

TEST_CASE("what is rewritten to a stop is one, and to KILL kills at once") {
    const std::vector<plan::Rewrite> rewrites{{SIGUSR1, SIGTERM}, {SIGUSR2, SIGKILL}, {SIGINT, SIGTERM}};
    for (const int number : {SIGUSR1, SIGINT}) {
        Policy policy(no_terminal, SIGTERM, false, rewrites);
        const Reaction stop = policy.on_signal(sent(number), no_terminal);
        CHECK(stop.send == SIGTERM);
        CHECK(stop.start_grace);
        CHECK(policy.stop_request() == SIGTERM);
    }
    CHECK(Policy(no_terminal, SIGTERM, false, rewrites).on_signal(sent(SIGUSR2), no_terminal).kill);
}

TEST_CASE("a signal that is rewritten to nothing does nothing at all") {
    const std::vector<plan::Rewrite> rewrites{{SIGTERM, 0}, {SIGHUP, 0}, {SIGINT, 0}, {SIGTSTP, 0}};
    Policy policy(no_terminal, SIGTERM, false, rewrites);
    for (const int number : {SIGTERM, SIGHUP, SIGINT, SIGTSTP}) {
        const Reaction reaction = policy.on_signal(sent(number), no_terminal);
        CHECK(reaction.send == 0);
        CHECK_FALSE(reaction.start_grace);
        CHECK(reaction.stop_self == 0);
    }
    CHECK(policy.stop_request() == 0);
    CHECK_FALSE(policy.was_stopped(WaitStatus::exited(1)));
    CHECK(policy.on_time_limit().send == SIGTERM); // is not received, so not rewritten
}

TEST_CASE("what is typed at the terminal is not rewritten: the command has had it already") {
    const std::vector<plan::Rewrite> rewrites{{SIGINT, SIGTERM}, {SIGQUIT, 0}};
    Policy policy(terminal, SIGTERM, false, rewrites);
    CHECK(policy.on_signal(typed(SIGINT), terminal).send == 0);
    CHECK(policy.stop_request() == SIGINT);
    CHECK(policy.on_signal(sent(SIGINT), terminal).send == SIGTERM);
    CHECK(policy.on_signal(typed(SIGQUIT), terminal).send == 0);
}

TEST_CASE("the end of a service stops the command as a time limit does unless it is being stopped already") {
    Policy policy(no_terminal, SIGUSR1);
    const Reaction stop = policy.on_service_ended();
    CHECK(stop.send == SIGUSR1);
    CHECK(stop.start_grace);
    CHECK(policy.leftover_signal() == SIGUSR1);
    const plan::Ending ending = policy.ending(WaitStatus::exited(0));
    CHECK(ending.result == Result::service_ended);
    CHECK(ending.exit_code == 125);
    CHECK(policy.on_service_ended().send == 0);
    Policy stopped(no_terminal, SIGTERM);
    static_cast<void>(stopped.on_time_limit());
    CHECK(stopped.on_service_ended().send == 0);
    CHECK(stopped.ending(WaitStatus::exited(0)).result == Result::timeout);
}
