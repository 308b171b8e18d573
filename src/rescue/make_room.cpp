#include "rescue/make_room.hpp"

#include "journal/ended.hpp"
#include "journal/leftover.hpp"
#include "journal/runs.hpp"

#include <algorithm>
#include <exception>
#include <unistd.h>
#include <utility>
#include <variant>

namespace finally_run::rescue {

namespace {

// Wherever it has been registered: its id and the time of birth of its place are of one run alone.
bool is_same(const journal::Failure& one, const journal::Failure& other) {
    const auto place_of = [](const journal::Failure& failure) {
        return failure.cleanup.place ? failure.cleanup.place->path : "";
    };
    return one.cleanup.kind == other.cleanup.kind && one.cleanup.text == other.cleanup.text &&
           place_of(one) == place_of(other);
}

// Ids of the same second have no order.
bool is_older(const journal::Opened& one, const journal::Opened& other) {
    return std::pair(one.started, one.supervisor.boot_nanoseconds) <
           std::pair(other.started, other.supervisor.boot_nanoseconds);
}

bool takes_the_place_of(const journal::State& ours, const journal::State& theirs) {
    return ours.has_failed() && theirs.has_failed() && ours.opened.place.path == theirs.opened.place.path &&
           ours.opened.command == theirs.opened.command && is_older(theirs.opened, ours.opened) &&
           std::ranges::equal(ours.failures, theirs.failures, is_same);
}

void look_at(const journal::Item& item, const journal::Runs& runs, const journal::State& ours) {
    const auto seen = journal::read_state(item.path);
    if (!seen || !takes_the_place_of(ours, *seen)) {
        return;
    }
    const journal::Found found = journal::claim(item.path, journal::Patience::none);
    const auto* const leftover = std::get_if<journal::Leftover>(&found);
    if (leftover == nullptr || !takes_the_place_of(ours, leftover->state)) {
        return; // somebody tries it again
    }
    if (leftover->file.remove()) {
        ::unlink(runs.log_of(item.id).c_str());
        if (item.told) { // who has been told of it once need not be told of it at each start
            static_cast<void>(runs.mark_told(ours.opened.run_id, journal::tags_of(ours.opened)));
        }
        runs.forget_tags(item.id, journal::tags_of(seen->opened));
    }
}

} // namespace

void make_room(cleanup::Stack& stack) noexcept {
    try {
        if (stack.is_remembered()) {
            journal::forget_old(stack.file().state_dir());
            return;
        }
        const journal::State& ours = stack.read_state();
        if (!ours.has_failed()) {
            return;
        }
        const journal::Runs runs(stack.file().state_dir());
        for (const journal::Item& item : runs.items_with({journal::tag_of_call(ours.opened)})) {
            look_at(item, runs, ours);
        }
    } catch (const std::exception&) { // then they stay
    }
}

} // namespace finally_run::rescue
