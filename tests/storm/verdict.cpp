#include "verdict.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <system_error>

namespace finally_run::storm {

namespace {

using Words = std::vector<std::string>;

// What the status says at the end.
struct Failed {
    std::set<std::string> runs;
    std::set<std::string> words;
};

Failed failed_by_status(const Place& place) {
    const std::string cmd =
        place.finally_run().native() + " --state-dir " + place.state().native() + " --status --json";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> output(::popen(cmd.c_str(), "r"), ::pclose);
    Failed failed;
    const auto status = nlohmann::json::parse(output.get(), nullptr, false);
    for (const auto& run : status.value("runs", nlohmann::json::array())) {
        if (run.at("state") != "failed") {
            continue;
        }
        failed.runs.insert(run.at("id"));
        for (const auto& cleanup : run.at("failed")) {
            failed.words.insert(split(cleanup.at("text").get<std::string>()).back());
        }
    }
    return failed;
}

void judge_deferrals(const Place& place, unsigned cut_off, const Failed& failed, Verdict& verdict) {
    std::map<std::string, unsigned> ran;
    for (const std::string& line : lines_of(place.ran())) {
        verdict.again += ++ran[split(line).at(0)] > 1 ? 1 : 0;
    }
    verdict.ran = ran.size();
    for (const std::string& word : lines_of(place.acknowledged())) {
        ++verdict.acknowledged;
        if (ran.contains(word)) {
            continue;
        }
        if (failed.words.contains(word)) {
            ++verdict.failed;
        } else {
            ++verdict.lost;
            violation(place, "lost: " + word);
        }
    }
    std::set<std::string> undisturbed; // the numbers of those whose supervisor saw the command end well
    for (const std::string& line : lines_of(place.ended())) {
        const Words words = split(line);
        if (words.at(2) == "success") {
            undisturbed.insert(words.at(3));
        }
    }
    constexpr std::string_view own_failure = "125";
    for (const std::string& line : lines_of(place.refused())) {
        ++verdict.refused;
        const Words words = split(line);
        if (ran.contains(words.at(0))) {
            violation(place, "refused, and ran: " + line);
        }
        if (words.at(1) != own_failure) {
            violation(place, "refused with another status: " + line);
        }
        // The command waits for its workers, but for the straggler.
        const bool of_worker = line.find("straggler") == line.npos && line.find("again") == line.npos;
        if (of_worker && undisturbed.contains(line.substr(0, line.find('.')))) {
            violation(place, "refused while the command ran: " + line);
        }
    }
    if (verdict.again > cut_off) {
        violation(place, "ran again: " + std::to_string(verdict.again) + ", though at most " + std::to_string(cut_off) +
                             " were cut off");
    }
}

// Each command begins with what the one before it has left. Of one that was killed in between nobody knows how far it
// came.
void judge_turns(const Place& place, Verdict& verdict) {
    std::set<unsigned long> possible{0};
    std::string open;
    for (const std::string& line : lines_of(place.turns())) {
        const Words words = split(line);
        const unsigned long value = std::stoul(words.at(2));
        const bool begins = words.at(0) == "begin";
        const bool right = begins ? possible.contains(value) : words.at(1) == open && possible.contains(value);
        if (!right) {
            violation(place, "the counter is wrong at: " + line);
        }
        verdict.turns += begins ? 1 : 0;
        open = begins ? words.at(1) : "";
        possible = begins ? std::set{value, value + 1} : std::set{value};
    }
    unsigned long value = 0;
    std::ifstream(place.counter()) >> value;
    if (!possible.contains(value)) {
        violation(place, "the counter is wrong at the end: " + std::to_string(value));
    }
}

void judge_runs(const Place& place, Verdict& verdict) {
    std::map<std::string, std::string> by;
    for (const std::string& line : lines_of(place.ended())) {
        const Words words = split(line);
        by[words.at(0)] = words.at(1);
    }
    for (const auto& [run, actor] : by) {
        verdict.by_guardian += actor == "guardian" ? 1 : 0;
        verdict.by_recovery += actor == "recovery" ? 1 : 0;
    }
    for (const std::string& line : lines_of(place.turns())) {
        if (const std::string run = split(line).at(1); !by.contains(run)) {
            by.emplace(run, "");
            violation(place, "lost: the last cleanup of " + run);
        }
    }
}

void judge_leftovers(const Place& place, const Failed& failed) {
    for (const fs::path& directory : {place.runs(), place.temp(), place.removed()}) {
        for (const auto& entry : fs::recursive_directory_iterator(directory)) {
            // The directories of those that were told of go with the last of them: see journal/runs.cpp.
            const bool is_of_failed =
                entry.is_directory() ? !failed.runs.empty() : failed.runs.contains(entry.path().stem());
            if (directory != place.runs() || !is_of_failed) {
                violation(place, "left: " + entry.path().native());
            }
        }
    }
    for (const auto& entry : fs::directory_iterator(place.state())) {
        // How runs ended that were finished by others may be told there.
        if (entry.path() != place.runs() && entry.path() != place.lock() && entry.path().filename() != ".ended") {
            violation(place, "left: " + entry.path().native());
        }
    }
    std::error_code none;
    if (const auto token = fs::read_symlink(place.token(), none); !token.empty()) {
        violation(place, "left: the token of " + token.native());
    }
}

// What finally-run says only when something is broken.
void judge_messages(const Place& place) {
    constexpr std::array<std::string_view, 4> bad{"damaged", "cannot be recorded", "cannot be read",
                                                  "cannot be removed"};
    for (const std::string& line : lines_of(place.messages())) {
        if (std::ranges::any_of(bad, [&](std::string_view part) { return line.find(part) != line.npos; })) {
            violation(place, "said: " + line);
        }
    }
}

} // namespace

Verdict judge(const Place& place, unsigned cut_off) {
    Verdict verdict;
    const Failed failed = failed_by_status(place);
    judge_deferrals(place, cut_off, failed, verdict);
    judge_turns(place, verdict);
    judge_runs(place, verdict);
    judge_leftovers(place, failed);
    judge_messages(place);
    return verdict;
}

} // namespace finally_run::storm
