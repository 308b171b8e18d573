#include "rescue/order.hpp"

#include "journal/leftover.hpp"
#include "rescue/inner_runs.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace finally_run::rescue {

namespace {

using States = std::map<std::string, journal::State>; // by the paths of the journals

States read_all(const std::vector<journal::Item>& runs) {
    States states;
    for (const journal::Item& run : runs) {
        if (auto state = journal::read_state(run.path)) {
            states.emplace(run.path.native(), std::move(*state));
        }
    }
    return states;
}

void inner_first(std::vector<journal::Item>& runs, const States& states) {
    std::map<std::string, std::vector<journal::Item>> inside; // by the journal of the run around them
    for (const journal::Item& run : runs) {
        if (const auto state = states.find(run.path.native()); state != states.end()) {
            inside[state->second.opened.outer].push_back(run);
        }
    }
    std::vector<journal::Item> ordered;
    std::set<std::string> known;
    const std::function<void(const journal::Item&)> add = [&](const journal::Item& run) {
        if (!known.insert(run.path.native()).second) {
            return;
        }
        if (const auto inner = inside.find(run.path.native()); inner != inside.end()) {
            std::ranges::for_each(inner->second, add);
        }
        ordered.push_back(run);
    };
    std::ranges::for_each(runs, add);
    runs = std::move(ordered);
}

void failed_last(std::vector<journal::Item>& runs, const States& states) {
    std::set<std::string> unfinished; // the paths of their locks
    for (const auto& [path, state] : states) {
        for (const journal::LockId& lock : state.has_failed() ? std::vector<journal::LockId>() : state.opened.locks) {
            unfinished.insert(lock.path);
        }
    }
    std::stable_partition(runs.begin(), runs.end(), [&](const journal::Item& run) {
        const auto state = states.find(run.path.native());
        return state == states.end() || !state->second.has_failed() ||
               std::ranges::none_of(state->second.opened.locks,
                                    [&](const journal::LockId& lock) { return unfinished.contains(lock.path); });
    });
}

} // namespace

void put_in_order(std::vector<journal::Item>& runs) {
    const States states = read_all(runs);
    inner_first(runs, states);
    failed_last(runs, states);
}

std::vector<journal::Item> started_inside(const std::vector<journal::Item>& runs,
                                          const std::vector<journal::Item>& all) {
    const auto is_one_of_them = [&](const journal::Item& item) {
        return std::ranges::find(runs, item.id, &journal::Item::id) != runs.end();
    };
    std::vector<journal::Item> found;
    std::ranges::copy_if(all, std::back_inserter(found), [&](const journal::Item& item) {
        return !is_one_of_them(item) && std::ranges::any_of(runs, [&](const journal::Item& run) {
            return is_inside(outer_of(item.path), run.path);
        });
    });
    return found;
}

} // namespace finally_run::rescue
