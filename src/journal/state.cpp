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
    using What = Started::What;
    begun = true; // by a cleanup, if that is for the last holder of a lock
    if (started.what == What::service) {
        services.push_back(started);
        return;
    }
    if (started.what != What::cleanup) {
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

bool State::has_lost_lock() const { return std::ranges::any_of(engine_locks, &EngineLock::lost); }

bool State::has_given_up() const {
    return std::ranges::any_of(done, [](const Done& it) { return !it.error.empty(); });
}

bool State::is_to_be_remembered() const {
    const bool caller_gone = ending && ending->result == plan::Result::caller_gone;
    return begun && (taken_over || caller_gone || has_lost_lock() || has_given_up());
}

void State::end_cleaning(std::uint64_t cleanup) {
    if (cleaning && cleaning->cleanup == cleanup) {
        cleaning.reset();
        handed_over = false;
    }
    if (stop_asked == cleanup) {
        stop_asked.reset();
    }
    std::erase_if(m_begun, [&](const Begun& it) { return it.cleanup == cleanup; });
}

void State::apply(const CleanupEnded& finished) {
    end_cleaning(finished.cleanup);
    // Nearly always the last one; another may have been registered while it ran.
    const auto at = std::ranges::find(stack.rbegin(), stack.rend(), finished.cleanup, &plan::Cleanup::id);
    if (at != stack.rend()) {
        constexpr std::size_t most = std::size_t(64) * 1024;
        constexpr std::size_t most_of_one = 4096;
        Done& it = done.emplace_back(Done{at->kind, {}, finished.error});
        it.text.assign(at->text, 0, std::min(most_of_one, most - m_done_size));
        m_done_size += it.text.size();
        stack.erase(std::next(at).base());
    }
    std::erase_if(failures, [&](const Failure& failure) { return failure.cleanup.id == finished.cleanup; });
    std::erase_if(services, [&](const Started& service) { return service.cleanup == finished.cleanup; });
}

void State::apply(CleanupFailed failed) {
    begun = true; // also if it could not be started
    end_cleaning(failed.cleanup);
    const auto at = std::ranges::find(stack, failed.cleanup, &plan::Cleanup::id);
    if (at == stack.end()) {
        return;
    }
    const auto id_of = [](const Failure& failure) { return failure.cleanup.id; };
    const auto place = std::ranges::lower_bound(failures, failed.cleanup, {}, id_of);
    const bool again = place != failures.end() && id_of(*place) == failed.cleanup;
    Failure& failure = again ? *place : *failures.emplace(place);
    // Before the end of the command a supervisor cleans up for the last holder of a lock.
    failure.by = taken_over ? taken_over->by : ending ? plan::Actor::supervisor : plan::Actor::next_holder;
    failure.how = std::move(failed);
    failure.cleanup = std::move(*at);
    stack.erase(at);
    if (failure.by == plan::Actor::supervisor) {
        drop_twins_of(plan::Cleanup(failure.cleanup));
    }
}

// What a run has tried for the last holder of a lock, and at its own end again, is one thing that fails.
void State::drop_twins_of(plan::Cleanup cleanup) {
    std::erase_if(failures, [&](const Failure& failure) {
        if (failure.by != plan::Actor::next_holder) {
            return false;
        }
        cleanup.id = failure.cleanup.id;
        return failure.cleanup == cleanup;
    });
}

void State::apply(const LockLost& lost) {
    for (EngineLock& lock : engine_locks) {
        lock.lost = lock.lost || lock.held.name == lost.name;
    }
}

// Whoever finishes a run after its supervisor and its guardian tries again what has failed, in the old order. The
// guardian goes on where the supervisor was.
void State::apply(const TakenOver& by) {
    m_actors += taken_over == by ? 0 : 1;
    taken_over = by;
    if (by.by == plan::Actor::guardian || failures.empty()) {
        return;
    }
    for (const Failure& failure : failures) {
        const auto place = std::ranges::lower_bound(stack, failure.cleanup.id, {}, &plan::Cleanup::id);
        if (place == stack.end() || place->id != failure.cleanup.id) {
            stack.insert(place, failure.cleanup);
        }
    }
    over = false;
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
        [&](CleanupFailed& record) { apply(std::move(record)); },
        [&](const StopAsked& record) {
            // It may have ended while this was written: then nobody is asked, and whoever tries it later is not meant.
            stop_asked = times_begun(record.cleanup) > 0 ? std::optional(record.cleanup) : stop_asked;
        },
        [&](const HandedOver&) { handed_over = true; },
        [&](ReportWanted& record) { report = std::move(record); },
        [&](const TakenOver& record) { apply(record); },
        [&](HeldAtEngine& record) { engine_locks.push_back({std::move(record)}); },
        [&](const LockLost& record) { apply(record); },
        [&](const Over& record) {
            if (record.dropped) {
                stack.clear(); // what has failed may be tried again, and this not with it
            }
            over = over || stack.empty();
        },
    };
    std::visit(apply_one, entry.record);
}

void State::apply(std::vector<Entry> entries) {
    for (Entry& entry : entries) {
        apply(std::move(entry));
    }
}

} // namespace finally_run::journal
