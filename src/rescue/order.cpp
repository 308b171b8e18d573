#include "rescue/order.hpp"

#include "journal/leftover.hpp"
#include "rescue/inner_runs.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace finally_run::rescue {

namespace {

// Of a journal no more than that: there may be thousands.
struct Known {
    std::string outer;
    bool has_failed;
    std::vector<std::string> locks; // their paths
};
using AllKnown = std::map<std::string, Known>; // by the paths of the journals

AllKnown read_all(const std::vector<journal::Item>& runs) {
    AllKnown all;
    for (const journal::Item& run : runs) {
        if (const auto state = journal::read_state(run.path)) {
            Known& known = all[run.path.native()];
            known = {state->opened.outer, state->has_failed(), {}};
            std::ranges::transform(state->opened.locks, std::back_inserter(known.locks), &journal::LockId::path);
        }
    }
    return all;
}

void inner_first(std::vector<journal::Item>& runs, const AllKnown& all) {
    std::map<std::string, std::vector<journal::Item>> inside; // by the journal of the run around them
    for (const journal::Item& run : runs) {
        if (const auto known = all.find(run.path.native()); known != all.end()) {
            inside[known->second.outer].push_back(run);
        }
    }
    std::vector<journal::Item> ordered;
    std::set<std::string> added;
    const std::function<void(const journal::Item&)> add = [&](const journal::Item& run) {
        if (!added.insert(run.path.native()).second) {
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

void failed_last(std::vector<journal::Item>& runs, const AllKnown& all) {
    std::set<std::string> unfinished; // the paths of their locks
    for (const auto& [path, known] : all) {
        if (!known.has_failed) {
            unfinished.insert(known.locks.begin(), known.locks.end());
        }
    }
    std::stable_partition(runs.begin(), runs.end(), [&](const journal::Item& run) {
        const auto known = all.find(run.path.native());
        return known == all.end() || !known->second.has_failed ||
               std::ranges::none_of(known->second.locks,
                                    [&](const std::string& lock) { return unfinished.contains(lock); });
    });
}

} // namespace

void put_in_order(std::vector<journal::Item>& runs) {
    if (runs.size() < 2) { // nothing to read them for
        return;
    }
    const AllKnown all = read_all(runs);
    inner_first(runs, all);
    failed_last(runs, all);
}

std::vector<journal::Item> started_inside(const std::vector<journal::Item>& these, const journal::Runs& runs) {
    const auto is_inside_one = [&](const journal::Item& item) {
        if (std::ranges::find(these, item.id, &journal::Item::id) != these.end()) {
            return false;
        }
        const std::string outer = outer_of(item.path);
        return std::ranges::any_of(these, [&](const journal::Item& one) { return is_inside(outer, one.path); });
    };
    const auto may_be_finished = [](const journal::Item& item) {
        const auto state = journal::read_state(item.path);
        return state && !state->has_failed();
    };
    std::vector<journal::Item> found = runs.items();
    std::erase_if(found, [&](const journal::Item& item) { return !is_inside_one(item) || !may_be_finished(item); });
    return found;
}

} // namespace finally_run::rescue
