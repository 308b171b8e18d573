#include "action/defer.hpp"

#include "journal/file.hpp"
#include "journal/state.hpp"
#include "os/error.hpp"
#include "os/place.hpp"
#include "os/variables.hpp"
#include "report/messages.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

namespace finally_run::action {

namespace {

// Was the run over when our record was written? The order of the records tells.
bool came_too_late(journal::File& file) {
    // Before the look: an end that this does not see comes behind our record, so it is void or our cleanup has run.
    const bool was_there = file.is_there();
    const std::uint64_t end_of_ours = file.end_of_append();
    journal::State state;
    bool over_before = false;
    for (const journal::Entry& entry : file.read()) {
        state.apply(entry);
        over_before = entry.offset < end_of_ours ? state.over : over_before;
    }
    return over_before || (!state.over && !was_there);
}

plan::ExitStatus refuse(const plan::Defer& request, std::string_view reason) {
    report::Messages(plan::Verbosity::normal).error("--defer", request.cmd, reason);
    return {plan::own_failure_status, 0};
}

} // namespace

plan::ExitStatus defer(const plan::Defer& request) {
    const std::string_view path = os::variable("FINALLY_RUN_JOURNAL");
    if (path.empty()) {
        return refuse(request, "not inside a run: FINALLY_RUN_JOURNAL is not set");
    }
    constexpr std::string_view over = "the run is already over";
    try {
        plan::Cleanup cleanup{.kind = plan::Cleanup::Kind::command, .text = request.cmd};
        cleanup.place = os::current_place();
        journal::File file = journal::File::open(path);
        if (!file.is_locked_by_other()) {
            return refuse(request, over);
        }
        if (!file.read_opened()) { // somebody else's file, with a lock that is none of a run
            return refuse(request, "FINALLY_RUN_JOURNAL is no journal of a run");
        }
        file.append(journal::Registered{cleanup});
        // Nobody has it any more: it may have been over before, and have stayed for its failed cleanups.
        if ((file.is_sealed_or_removed() || !file.is_locked_by_other()) && came_too_late(file)) {
            return refuse(request, over);
        }
        return {};
    } catch (const std::system_error& error) {
        const int number = error.code().value();
        std::error_code ignored;
        if (number == ENOENT && !std::filesystem::exists(std::filesystem::path(path).parent_path(), ignored)) {
            return refuse(request, "the directory of its journal is not there");
        }
        // No such file; or one that is sealed against writing.
        return refuse(request, number == ENOENT || number == EBADF ? over : std::string_view(error.what()));
    } catch (const journal::Damaged& error) {
        return refuse(request, error.what());
    }
}

} // namespace finally_run::action
