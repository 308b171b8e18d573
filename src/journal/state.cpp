#include "journal/state.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace finally_run::journal {

namespace {

template <class... Functions> struct Overloaded : Functions... { using Functions::operator()...; };
// clang 14 does not deduce aggregates.
template <class... Functions> Overloaded(Functions...) -> Overloaded<Functions...>;

} // namespace

void State::apply(std::uint64_t offset, Registered registered) {
    if (over) {
        return; // too late, and whoever wrote it has seen so
    }
    if (registered.cleanup.kind == plan::Cleanup::Kind::temp_dir) {
        begun = true;
        m_variables.emplace_back(registered.cleanup.variable, registered.cleanup.text);
    }
    registered.cleanup.id = offset;
    stack.push_back(std::move(registered.cleanup));
}

void State::apply(const Started& started) {
    if (started.what != Started::What::cleanup) {
        begun = true;
        step = started;
        return;
    }
    cleaning = started;
    const auto at = std::ranges::find(m_begun, started.cleanup, &Begun::cleanup);
    Begun& it = at != m_begun.end() ? *at : m_begun.emplace_back(Begun{started.cleanup});
    it.times += it.last_by != m_actors ? 1 : 0;
    it.last_by = m_actors;
}

unsigned State::times_begun(std::uint64_t cleanup) const {
    const auto at = std::ranges::find(m_begun, cleanup, &Begun::cleanup);
    return at != m_begun.end() ? at->times : 0;
}

void State::apply(const CleanupEnded& finished) {
    if (cleaning && cleaning->cleanup == finished.cleanup) {
        cleaning.reset();
        handed_over = false;
    }
    std::erase_if(m_begun, [&](const Begun& it) { return it.cleanup == finished.cleanup; });
    // Nearly always the last one; another may have been registered while it ran.
    const auto at =
        std::find_if(stack.rbegin(), stack.rend(), [&](const auto& cleanup) { return cleanup.id == finished.cleanup; });
    if (at != stack.rend()) {
        stack.erase(std::next(at).base());
    }
}

void State::apply(Entry entry) {
    const Overloaded apply_one{
        [&](Opened& record) { opened = std::move(record); },
        [&](Registered& record) { apply(entry.offset, std::move(record)); },
        [&](const Started& record) { apply(record); },
        [&](const SetupEnded&) { step.reset(); },
        [&](const Ended& record) {
            step.reset();
            ending = record.ending;
        },
        [&](const CleanupEnded& record) { apply(record); },
        [&](const HandedOver&) { handed_over = true; },
        [&](ReportWanted& record) { report = std::move(record); },
        [&](const TakenOver& record) {
            m_actors += taken_over == record ? 0 : 1;
            taken_over = record;
        },
        [&](const Over& record) { over = over || record.dropped || stack.empty(); },
    };
    std::visit(apply_one, entry.record);
}

void State::apply(std::vector<Entry> entries) {
    for (Entry& entry : entries) {
        apply(std::move(entry));
    }
}

} // namespace finally_run::journal
