#include "action/find_runs.hpp"

#include "journal/ended.hpp"
#include "report/call.hpp"

#include <algorithm>
#include <utility>

namespace finally_run::action {

std::variant<journal::Item, NoSuchRun, Ambiguous> find_run(std::string_view word,
                                                           std::span<const journal::Item> items) {
    const journal::Item* found = nullptr;
    std::string ids;
    for (const journal::Item& item : items) {
        if (item.id == word) {
            return item;
        }
        if (item.id.starts_with(word)) {
            ids += (found != nullptr ? ", " : "") + item.id;
            found = found != nullptr ? found : &item;
        }
    }
    if (found == nullptr) {
        return NoSuchRun{};
    }
    return ids == found->id ? std::variant<journal::Item, NoSuchRun, Ambiguous>(*found) : Ambiguous{std::move(ids)};
}

namespace {

// The runs that are over, for the words that mean no other run.
void add_ended(std::span<const std::string> words, const std::filesystem::path& state_dir,
               std::vector<journal::Item>& items) {
    std::vector<std::string_view> without;
    for (const std::string& word : words) {
        if (std::holds_alternative<NoSuchRun>(find_run(word, items))) {
            without.push_back(word);
        }
    }
    for (journal::EndedItem& ended : journal::ended_items(state_dir)) {
        if (std::ranges::any_of(without, [&](std::string_view word) { return ended.id.starts_with(word); })) {
            items.push_back({std::move(ended.id), std::move(ended.path), true});
        }
    }
}

} // namespace

FoundRuns find_runs(std::span<const std::string> words, std::vector<journal::Item> items, report::Messages& messages) {
    if (words.empty()) {
        return {std::move(items)};
    }
    FoundRuns found;
    for (const std::string& word : words) {
        const auto match = find_run(word, items);
        if (const auto* const run = std::get_if<journal::Item>(&match)) {
            if (std::ranges::find(found.runs, run->id, &journal::Item::id) == found.runs.end()) {
                found.runs.push_back(*run);
            }
            continue;
        }
        if (const auto* const ambiguous = std::get_if<Ambiguous>(&match)) {
            messages.error("ambiguous run", word, ambiguous->ids);
        } else {
            messages.error("no such run", word, "it has ended well, or is in another state directory");
        }
        found.complete = false;
    }
    return found;
}

FoundRuns find_runs_or_ended(std::span<const std::string> words, const journal::Runs& runs,
                             const std::filesystem::path& state_dir, report::Messages& messages) {
    std::vector<journal::Item> items = runs.items();
    if (!words.empty()) {
        add_ended(words, state_dir, items);
    }
    return find_runs(words, std::move(items), messages);
}

StillRuns still_runs(const journal::Started& step) {
    const bool is_cleanup = step.what == journal::Started::What::cleanup; // is let end: see rescue::take_over
    return {"its " + std::string(journal::name_of(step.what)) + " still runs, pid " + std::to_string(step.process.pid),
            is_cleanup ? "waits for its end and goes on" : "ends it and cleans up"};
}

bool is_said_to_be_over(const journal::Item& item, const journal::Runs& runs, std::string_view state_dir,
                        report::Messages& messages) {
    const bool over = item.path != runs.journal_of(item.id);
    if (over) {
        messages.note("run " + item.id + " is over", {}, report::call_for(state_dir) + " --status has how");
    }
    return over;
}

} // namespace finally_run::action
