#include "engine/tenure.hpp"

#include <csignal>
#include <doctest/doctest.h>

using namespace finally_run;
using engine::Message;
using engine::Said;
using engine::Tenure;

namespace {

const os::WaitStatus ended_well = os::WaitStatus::exited(0);

Tenure held_tenure() {
    Tenure tenure;
    static_cast<void>(tenure.on_said({Said::What::held, "42"}));
    return tenure;
}

Tenure releasing_tenure() {
    Tenure tenure = held_tenure();
    static_cast<void>(tenure.on_release());
    return tenure;
}

} // namespace

TEST_CASE("a lock at an engine is had once its helper says so and the run is told the token") {
    Tenure tenure;
    CHECK(tenure.on_said({Said::What::waiting, "b"}).tell == Message::What::waiting);
    CHECK(tenure.on_said({Said::What::unclean, "c"}).text == "c");
    const auto reaction = tenure.on_said({Said::What::held, "42"});
    CHECK(reaction.tell == Message::What::held);
    CHECK(reaction.text == "42");
    CHECK(tenure.phase() == Tenure::Phase::held);
    CHECK_FALSE(tenure.on_said({Said::What::waiting, "b"}).tell);
}

TEST_CASE("a helper that ends with 75 before it has the lock says that somebody else has it") {
    CHECK(Tenure().on_ended(os::WaitStatus::exited(75), "held by b").tell == Message::What::busy);
    const auto other = Tenure().on_ended(os::WaitStatus::exited(1), "etcdctl is missing");
    CHECK(other.tell == Message::What::failed);
    CHECK(other.text == "its helper has ended with status 1: etcdctl is missing");
    CHECK(Tenure().on_ended(ended_well, "").tell == Message::What::failed);
    CHECK(Tenure().on_ended(os::WaitStatus::killed(SIGKILL), "").text == "its helper was killed by KILL");
}

TEST_CASE("a held lock is lost when its helper ends or closes its stdout or does not keep to the protocol") {
    CHECK(held_tenure().on_ended(os::WaitStatus::exited(75), "").tell == Message::What::lost);
    CHECK(held_tenure().on_ended(ended_well, "").tell == Message::What::lost);
    CHECK(held_tenure().on_said({Said::What::done}).tell == Message::What::lost);
    for (const bool closes : {true, false}) {
        Tenure tenure = held_tenure();
        const auto reaction = closes ? tenure.on_closed() : tenure.on_breach("a NUL");
        CHECK(reaction.tell == Message::What::lost);
        CHECK(reaction.kill);
        CHECK_FALSE(tenure.is_over()); // until it has ended
        CHECK_FALSE(tenure.on_ended(os::WaitStatus::killed(SIGKILL), "").tell);
        CHECK(tenure.is_over());
    }
}

TEST_CASE("a lock that is given back is no loss whichever way its helper ends") {
    Tenure tenure = held_tenure();
    CHECK(tenure.on_release().end_stdin);
    CHECK_FALSE(tenure.on_release().end_stdin);
    CHECK_FALSE(tenure.on_said({Said::What::done}).tell);
    CHECK_FALSE(tenure.is_over());
    CHECK_FALSE(tenure.on_closed().tell);
    const auto end = tenure.on_ended(os::WaitStatus::exited(1), "");
    CHECK_FALSE(end.tell);
    CHECK(end.not_freed.empty()); // it has said that it is done
    CHECK(tenure.is_over());

    Tenure silent = releasing_tenure();
    CHECK(silent.on_ended(ended_well, "").not_freed.empty());
    CHECK(silent.is_over());

    Tenure odd = releasing_tenure();
    const auto breach = odd.on_breach("an unknown word");
    CHECK_FALSE(breach.kill); // it goes on releasing
    CHECK_FALSE(odd.is_over());
    CHECK(odd.on_ended(ended_well, "").not_freed.empty());
    CHECK(odd.is_over());

    Tenure failing = releasing_tenure();
    static_cast<void>(failing.on_breach("an unknown word"));
    const auto failure = failing.on_ended(os::WaitStatus::exited(1), "");
    CHECK_FALSE(failure.tell);
    CHECK(failure.not_freed == "its helper has ended with status 1");
    CHECK(failing.is_over());
}

TEST_CASE("a helper that does not release in time gets TERM and then KILL") {
    Tenure tenure = releasing_tenure();
    CHECK(tenure.on_patience_over().terminate);
    const auto second = tenure.on_patience_over();
    CHECK(second.kill);
    CHECK_FALSE(second.terminate);
    CHECK(second.not_freed == "its helper did not give it back in time");
    CHECK_FALSE(tenure.is_over());
    CHECK(tenure.on_ended(os::WaitStatus::killed(SIGKILL), "").not_freed.empty());
    CHECK(tenure.is_over());
}

TEST_CASE("a helper that gets the lock while it is told to give up has it no more") {
    Tenure tenure;
    CHECK(tenure.on_release().end_stdin);
    CHECK_FALSE(tenure.on_said({Said::What::held, "1"}).tell);
    const auto end = tenure.on_ended(os::WaitStatus::exited(1), "");
    CHECK_FALSE(end.tell);
    CHECK(end.not_freed.empty());
    CHECK(tenure.is_over());
}
