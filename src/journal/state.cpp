#include "journal/state.hpp"

#include <algorithm>
#include <iterator>

namespace finally_run::journal {

namespace {

template <class... Functions> struct Overloaded : Functions... { using Functions::operator()...; };
// clang 14 does not deduce aggregates.
template <class... Functions> Overloaded(Functions...) -> Overloaded<Functions...>;

} // namespace

void State::apply(std::uint64_t offset, const Registered& registered) {
    if (over) {
        return; // too late, and whoever wrote it has seen so
    }
    stack.push_back(registered.cleanup);
    stack.back().id = offset;
    if (registered.cleanup.kind == plan::Cleanup::Kind::temp_dir) {
        begun = true;
        m_variables.emplace_back(registered.cleanup.variable, registered.cleanup.text);
    }
}

void State::apply(const Started& started) {
    if (started.what == Started::What::cleanup) {
        cleaning = started;
        return;
    }
    begun = true;
    step = started;
}

void State::apply(const CleanupEnded& finished) {
    if (cleaning && cleaning->cleanup == finished.cleanup) {
        cleaning.reset();
        handed_over = false;
    }
    // Nearly always the last one; another may have been registered while it ran.
    const auto at =
        std::find_if(stack.rbegin(), stack.rend(), [&](const auto& cleanup) { return cleanup.id == finished.cleanup; });
    if (at != stack.rend()) {
        stack.erase(std::next(at).base());
    }
}

void State::apply(const Entry& entry) {
    const Overloaded apply_one{
        [&](const Opened& record) { opened = record; },
        [&](const Registered& record) { apply(entry.offset, record); },
        [&](const Started& record) { apply(record); },
        [&](const SetupEnded&) { step.reset(); },
        [&](const Ended& record) {
            step.reset();
            ending = record.ending;
        },
        [&](const CleanupEnded& record) { apply(record); },
        [&](const HandedOver&) { handed_over = true; },
        [&](const TakenOver& record) { taken_over = record; },
        [&](const Over& record) { over = over || record.dropped || stack.empty(); },
    };
    std::visit(apply_one, entry.record);
}

void State::apply(const std::vector<Entry>& entries) {
    for (const Entry& entry : entries) {
        apply(entry);
    }
}

} // namespace finally_run::journal
