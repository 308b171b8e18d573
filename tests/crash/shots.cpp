// Points, or calls and how they may fail.
#include "shots.hpp"

#include "calls.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <map>

namespace finally_run::crash {

namespace {

// The one excuse: what the C library does before main, nobody can survive. main's first call blocks the signals. A
// guardian begins as a copy of its supervisor, and has no such start.
unsigned first_own_point(const Row& row, const std::vector<Call>& calls) {
    const auto found =
        std::find_if(calls.begin(), calls.end(), [](const Call& call) { return call.number == SYS_rt_sigprocmask; });
    return row.actor == Role::guardian || found == calls.end() ? 0 : found->point;
}

std::vector<Shot> failures(const Row& row, const std::vector<Call>& calls) {
    std::vector<Shot> shots;
    std::map<long, unsigned> seen;
    const unsigned begin = first_own_point(row, calls);
    for (const Call& call : calls) {
        const unsigned number = seen[call.number]++;
        if (call.point < begin || call.polls) {
            continue;
        }
        for (const int error : failures_of(call.number)) {
            shots.push_back({number, error, call.number});
        }
    }
    return shots;
}

} // namespace

std::vector<Shot> shots_of(const Row& row, const Outcome& explored) {
    if (row.blow == Blow::fail_call) {
        return failures(row, explored.calls);
    }
    std::vector<Shot> shots;
    if (row.hold_child) {
        for (const Call& call : explored.calls) {
            if (call.in_child) {
                shots.push_back({call.point});
            }
        }
        return shots;
    }
    for (unsigned point = 0; point < explored.points; ++point) {
        shots.push_back({point});
    }
    return shots;
}

} // namespace finally_run::crash
