#include "os/bystander.hpp"

#include "os/process.hpp"
#include "support/forked.hpp"

#include <algorithm>
#include <csignal>
#include <doctest/doctest.h>
#include <sys/types.h>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("who is forked apart goes by its name and is in no group or session of ours before it first runs") {
    test::Gate line;
    test::Forked parent([&] {
        const pid_t apart = os::fork_apart(line.writer(), "apart");
        if (apart == 0) {
            ::raise(SIGSTOP);
            ::_exit(0);
        }
        test::expect(apart > 0, "no fork");
        test::expect(test::comes_true([&] {
                         const auto process = os::read_process(apart);
                         return process && process->state == 'T';
                     }),
                     "it does not stop");
        const auto process = os::read_process(apart);
        const auto others = os::leaders_and_leaderless();
        ::kill(apart, SIGKILL);
        test::expect(process->name == "apart", "another name");
        test::expect(process->group != ::getpgrp(), "our group");
        test::expect(process->session != ::getsid(0), "our session");
        test::expect(std::ranges::find(others, apart, &os::ProcessInfo::pid) != others.end(), "it is not found");
    });
    CHECK(parent.succeeded());
}
