#include "plan/cleanup.hpp"

namespace finally_run::plan {

std::string_view name_of(Cleanup::Kind kind) {
    switch (kind) {
    case Cleanup::Kind::command:
        return "cleanup";
    case Cleanup::Kind::on_success:
        return "on-success";
    case Cleanup::Kind::on_failure:
        return "on-failure";
    case Cleanup::Kind::remove:
        return "remove";
    case Cleanup::Kind::temp_dir:
        return "temp-dir";
    case Cleanup::Kind::service:
        return "service";
    }
    return "";
}

bool applies(Cleanup::Kind kind, Result result) {
    switch (kind) {
    case Cleanup::Kind::on_success:
        return result == Result::success;
    case Cleanup::Kind::on_failure:
        return result != Result::success;
    case Cleanup::Kind::command:
    case Cleanup::Kind::remove:
    case Cleanup::Kind::temp_dir:
    case Cleanup::Kind::service:
        break;
    }
    return true;
}

} // namespace finally_run::plan
