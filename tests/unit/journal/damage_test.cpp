// journal/record: journals that were cut, flipped, torn and read piece by piece.
#include "journal/record.hpp"

#include "samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace finally_run::journal {

namespace {

// The records that end within `size` bytes.
std::vector<Record> records_within(const Sample& journal, std::size_t size) {
    const auto count = std::ranges::upper_bound(journal.ends, size) - journal.ends.begin();
    return {journal.records.begin(), journal.records.begin() + count};
}

// The sample with a torn record before each of the last three, and cut off in one more.
std::string torn_sample() {
    const auto records = sample_records();
    std::string bytes;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const std::string record = encode(records[i]);
        const std::size_t size = i == 4 ? 1 : i == 5 ? 15 : record.size() - 1;
        bytes += i >= 4 ? record.substr(0, size) + record : record;
    }
    return bytes + encode(HandedOver{}).substr(0, 25);
}

} // namespace

TEST_SUITE("journal/record") {
    TEST_CASE("a journal cut anywhere has the records before the cut, and no damage") {
        const Sample journal = sample();
        for (std::size_t size = 0; size <= journal.bytes.size(); ++size) {
            CAPTURE(size);
            const auto decoded = decode(journal.bytes.substr(0, size), 0);
            const auto expected = records_within(journal, size);
            CHECK(decoded.health == Health::good);
            CHECK((records_of(decoded) == expected));
            CHECK(decoded.consumed == (expected.empty() ? 0 : journal.ends[expected.size() - 1]));
        }
    }

    TEST_CASE("a journal that ends in NUL bytes has the records before them, and no damage") {
        const Sample journal = sample();
        for (std::size_t size = 0; size <= journal.bytes.size(); ++size) {
            CAPTURE(size);
            const auto decoded = decode(journal.bytes.substr(0, size) + std::string(5, '\0'), 0);
            const auto expected = records_within(journal, size);
            CHECK(decoded.health == Health::good);
            CHECK((records_of(decoded) == expected));
            CHECK(decoded.consumed == (expected.empty() ? 0 : journal.ends[expected.size() - 1]));
        }
    }

    TEST_CASE("every flipped bit is damage at the record that it is in") {
        const Sample journal = sample();
        for (std::size_t at = 0; at < journal.bytes.size(); ++at) {
            const auto before = records_within(journal, at);
            const std::uint64_t begin = before.empty() ? 0 : journal.ends[before.size() - 1];
            for (int bit = 0; bit < 8; ++bit) {
                CAPTURE(at);
                CAPTURE(bit);
                std::string flipped = journal.bytes;
                flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
                const auto decoded = decode(flipped, 0);
                CHECK(decoded.health == Health::damaged);
                CHECK((records_of(decoded) == before));
                CHECK(decoded.consumed == begin);
                // If the flip made an RS, the record seems torn, and the damage is what follows.
                CHECK(decoded.bad_offset == (flipped[at] == '\x1E' && begin > 0 ? at : begin));
            }
        }
    }

    TEST_CASE("a byte that is another is damage at the record that it is in") {
        const Sample journal = sample();
        for (std::size_t at = 0; at < journal.bytes.size(); ++at) {
            const auto before = records_within(journal, at);
            for (int byte = 0; byte < 256; ++byte) {
                CAPTURE(at);
                CAPTURE(byte);
                std::string changed = journal.bytes;
                changed[at] = static_cast<char>(byte);
                const auto decoded = decode(changed, 0);
                if (changed == journal.bytes) {
                    CHECK(decoded.health == Health::good);
                    continue;
                }
                // An LF that became an RS is two writes that were cut off, by LF and behind RS. No flipped bit does
                // that.
                const bool is_end =
                    std::find(journal.ends.begin() + 1, journal.ends.end(), at + 1) != journal.ends.end();
                if (is_end && byte == 0x1E) {
                    CHECK(decoded.health == Health::good);
                    CHECK(decoded.entries.size() == journal.records.size() - 1);
                    continue;
                }
                const bool unwritten = at + 1 == journal.bytes.size() && byte == 0;
                CHECK(decoded.health == (unwritten ? Health::good : Health::damaged));
                CHECK((records_of(decoded) == before));
            }
        }
    }

    TEST_CASE("a flipped bit between torn records never changes a record and never drops a whole one") {
        const std::string bytes = torn_sample();
        const auto records = sample_records();
        REQUIRE((records_of(decode(bytes, 0)) == records));
        for (std::size_t at = 0; at < bytes.size(); ++at) {
            for (int bit = 0; bit < 8; ++bit) {
                CAPTURE(at);
                CAPTURE(bit);
                std::string flipped = bytes;
                flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
                const auto decoded = decode(flipped, 0);
                const auto found = records_of(decoded);
                REQUIRE(found.size() <= records.size());
                CHECK(std::equal(found.begin(), found.end(), records.begin()));
                // All are there, or it is known that some are not.
                CHECK((found.size() == records.size() || decoded.health == Health::damaged));
            }
        }
    }

    TEST_CASE("a record that was cut off in front of a whole one does not count, and the whole one does") {
        const Record cut_off = registered(plan::Cleanup::Kind::command, "cut off >^J*");
        const std::string cut = encode(cut_off);
        for (std::size_t size = 1; size < cut.size(); ++size) {
            CAPTURE(size);
            Sample journal = sample();
            journal.bytes += cut.substr(0, size);
            const std::uint64_t offset = journal.bytes.size();
            journal.append(CleanupEnded{1, "whole"});
            journal.append(cut_off);
            const auto decoded = decode(journal.bytes, 0);
            CHECK(decoded.health == Health::good);
            CHECK((records_of(decoded) == journal.records));
            CHECK(decoded.consumed == journal.bytes.size());
            REQUIRE(decoded.entries.size() > 2);
            CHECK(decoded.entries[decoded.entries.size() - 2].offset == offset);
        }
    }

    TEST_CASE("several records that were cut off one behind the other do not count") {
        Sample journal = sample();
        for (const std::size_t size : {1U, 5U, 9U, 10U, 18U, 19U, 20U, 25U}) {
            journal.bytes += encode(SetupEnded{}).substr(0, size);
        }
        CHECK((records_of(decode(journal.bytes, 0)) == journal.records));
        CHECK(decode(journal.bytes, 0).consumed == journal.ends.back());
        journal.append(Over{});
        CHECK((records_of(decode(journal.bytes, 0)) == journal.records));
        CHECK(decode(journal.bytes, 0).health == Health::good);
    }

    TEST_CASE("the last record, complete with its LF but changed, is damage") {
        Sample journal = sample();
        const std::uint64_t offset = journal.bytes.size();
        journal.bytes += encode(CleanupEnded{1, "text"});
        journal.bytes[journal.bytes.size() - 2] = 's';
        const auto decoded = decode(journal.bytes, 0);
        CHECK(decoded.health == Health::damaged);
        CHECK(decoded.bad_offset == offset);
        CHECK((records_of(decoded) == journal.records));
    }

    TEST_CASE("bytes between records are damage") {
        const Sample journal = sample();
        for (const std::string& between : {std::string("x"), std::string("\n"), std::string("\0", 1)}) {
            auto bytes = journal.bytes;
            bytes.insert(journal.ends[2], between);
            const auto decoded = decode(bytes, 0);
            CHECK(decoded.health == Health::damaged);
            CHECK(decoded.bad_offset == journal.ends[2]);
            CHECK(decoded.entries.size() == 3);
        }
    }

    TEST_CASE("a record that is missing its middle is damage") {
        const Sample journal = sample();
        const std::size_t begin = journal.ends[0];
        for (std::size_t at = begin + 1; at < journal.ends[1] - 1; ++at) {
            CAPTURE(at);
            auto bytes = journal.bytes;
            bytes.erase(at, 1);
            const auto decoded = decode(bytes, 0);
            CHECK(decoded.health == Health::damaged);
            CHECK(decoded.bad_offset == begin);
        }
    }

    TEST_CASE("reading in two halves is reading at once") {
        std::string damaged = torn_sample();
        damaged[damaged.size() - 60] = '\x01';
        for (const std::string& bytes :
             {sample().bytes, torn_sample(), damaged, sample().bytes + std::string(9, '\0')}) {
            const auto at_once = decode(bytes, 0);
            for (std::size_t split = 0; split <= bytes.size(); ++split) {
                CAPTURE(split);
                auto halves = decode(std::string_view(bytes).substr(0, split), 0);
                if (halves.health == Health::good) {
                    const auto rest = decode(std::string_view(bytes).substr(halves.consumed), halves.consumed);
                    halves.entries.insert(halves.entries.end(), rest.entries.begin(), rest.entries.end());
                    halves.consumed = rest.consumed;
                    halves.health = rest.health;
                    halves.bad_offset = rest.bad_offset;
                }
                CHECK(same(halves, at_once));
            }
        }
    }
}

} // namespace finally_run::journal
