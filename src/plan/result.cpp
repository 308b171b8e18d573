// How a run's command ended, in the words that cleanups, reports and messages use.
#include "plan/result.hpp"

namespace finally_run::plan {

std::string_view name_of(Result result) {
    switch (result) {
    case Result::success:
        return "success";
    case Result::failure:
        return "failure";
    case Result::signal:
        return "signal";
    case Result::timeout:
        return "timeout";
    case Result::stopped:
        return "stopped";
    case Result::caller_gone:
        return "caller-gone";
    case Result::setup_failed:
        return "setup-failed";
    case Result::not_started:
        return "not-started";
    case Result::service_ended:
        return "service-ended";
    case Result::lock_lost:
        return "lock-lost";
    case Result::lost:
        return "lost";
    }
    return "";
}

std::string_view name_of(Actor actor) {
    switch (actor) {
    case Actor::supervisor:
        return "supervisor";
    case Actor::guardian:
        return "guardian";
    case Actor::keeper:
        return "keeper";
    case Actor::recovery:
        return "recovery";
    case Actor::next_holder:
        return "next-holder";
    }
    return "";
}

} // namespace finally_run::plan
