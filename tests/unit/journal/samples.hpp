// Records of every type, as values and as a journal.
#pragma once

#include "journal/record.hpp"

#include <chrono>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::journal {

inline std::string all_bytes() {
    std::string text;
    for (int byte = 0; byte < 256; ++byte) {
        text += static_cast<char>(byte);
    }
    return text;
}

// Every value of an enum that has a name_of.
template <class Enum> std::vector<Enum> all_of() {
    std::vector<Enum> all;
    for (int i = 0; !name_of(static_cast<Enum>(i)).empty(); ++i) {
        all.push_back(static_cast<Enum>(i));
    }
    return all;
}

// As `text` is what a user may choose, it is in every field that holds text.
inline Opened opened_with(const std::string& text) {
    Opened opened;
    opened.run_id = text;
    opened.boot_id = text;
    opened.pid_namespace = 4026531836;
    opened.supervisor = {4711, 123'456'789'012};
    opened.started = 1'700'000'000;
    opened.session = 4700;
    opened.own_group = true;
    opened.locks = {{text, 64769, 1234, false}, {"/run/lock/other", 7, 8, true}};
    opened.place = {text, 64769, 5678, 1'600'000'000'000'000'000};
    opened.mask = 0027;
    opened.stop_signal = 15;
    opened.grace = std::chrono::seconds(10);
    opened.cleanup_timeout = std::nullopt;
    opened.cleanup_retries = 3;
    opened.command = text;
    opened.job_url = text;
    opened.outer = text;
    opened.environment = {"PATH=/bin", "HOME=" + text, text};
    opened.host = {text, text, 4026531834};
    opened.withheld = {"TOKEN", text};
    return opened;
}

// The smallest that a journal may begin with.
inline Opened plain_opened() {
    Opened opened;
    opened.supervisor.pid = 1;
    opened.stop_signal = 15;
    return opened;
}

inline Registered registered(plan::Cleanup::Kind kind, const std::string& text, std::optional<plan::Place> place = {}) {
    return {{kind, text, text, std::move(place)}};
}

// Every type in each of its shapes, but for Opened.
inline std::vector<Record> later_records(const std::string& text) {
    constexpr auto last_id = std::numeric_limits<std::uint64_t>::max();
    std::vector<Record> records{SetupEnded{}, HandedOver{}, Over{false}, Over{true}};
    for (const auto kind : all_of<plan::Cleanup::Kind>()) {
        records.emplace_back(registered(kind, text));
        records.emplace_back(registered(kind, text, plan::Place{text, 1, 2, -3}));
    }
    records.emplace_back(Registered{{.kind = plan::Cleanup::Kind::remove, .text = text, .resolved = text + "x"}});
    for (const auto what : all_of<Started::What>()) {
        records.emplace_back(Started{what, {1, 0}, 0});
        records.emplace_back(Started{what, {std::numeric_limits<pid_t>::max(), last_id}, last_id});
    }
    for (const auto result : all_of<plan::Result>()) {
        records.emplace_back(Ended{{result, 0, 0}});
        records.emplace_back(Ended{{result, 255, 64}});
    }
    for (const auto actor : all_of<plan::Actor>()) {
        records.emplace_back(TakenOver{actor, {99, 100}});
    }
    records.emplace_back(ReportWanted{text, {}});
    records.emplace_back(ReportWanted{"", {text, "", text}});
    records.emplace_back(CleanupEnded{0, text});
    records.emplace_back(CleanupEnded{last_id, ""});
    records.emplace_back(CleanupFailed{0, std::nullopt, 0, 0, 0, text});
    records.emplace_back(CleanupFailed{last_id, 255, 64, std::numeric_limits<unsigned>::max(), -1, text});
    records.emplace_back(StopAsked{0});
    records.emplace_back(StopAsked{last_id});
    records.emplace_back(HeldAtEngine{text, "", 0, true});
    records.emplace_back(HeldAtEngine{"", text, -1, false});
    records.emplace_back(LockLost{text, "", 0});
    records.emplace_back(LockLost{"", text, -1});
    return records;
}

// A short life of a run, with bytes in it that one flipped bit turns into RS or LF.
inline std::vector<Record> sample_records() {
    Opened opened = plain_opened();
    opened.run_id = "20240101-1-a";
    opened.command = "make J >log 2>&1 ^*";
    opened.locks = {{"/run/deploy", 1, 2, true}};
    opened.environment = {"PATH=/bin"};
    return {opened,
            registered(plan::Cleanup::Kind::command, "docker compose down >\x9E\x8A^"),
            Started{Started::What::command, {12, 345}, 0},
            Ended{{plan::Result::signal, 130, 2}},
            Started{Started::What::cleanup, {13, 678}, 200},
            StopAsked{200},
            CleanupFailed{200, 7, 0, 1, 1'700'000'000, "it failed: J*^>"},
            TakenOver{plan::Actor::next_holder, {14, 901}},
            CleanupEnded{200, "it failed: J*^>"},
            Over{false}};
}

struct Sample {
    std::string bytes;
    std::vector<Record> records;
    std::vector<std::uint64_t> ends; // the offset behind each record

    void append(const Record& record) {
        bytes += encode(record);
        records.push_back(record);
        ends.push_back(bytes.size());
    }
};

inline Sample sample() {
    Sample sample;
    for (const Record& record : sample_records()) {
        sample.append(record);
    }
    return sample;
}

inline std::vector<Record> records_of(const Decoded& decoded) {
    std::vector<Record> records;
    for (const Entry& entry : decoded.entries) {
        records.push_back(entry.record);
    }
    return records;
}

inline bool same(const Decoded& one, const Decoded& other) {
    const auto offsets_equal = [](const Entry& a, const Entry& b) { return a.offset == b.offset; };
    return std::equal(one.entries.begin(), one.entries.end(), other.entries.begin(), other.entries.end(),
                      offsets_equal) &&
           records_of(one) == records_of(other) && one.consumed == other.consumed && one.health == other.health &&
           one.bad_offset == other.bad_offset;
}

} // namespace finally_run::journal
