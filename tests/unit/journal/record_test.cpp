// journal/record: what is written is read again, and nothing else is.
#include "journal/record.hpp"

#include "journal/fields.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <variant>

namespace finally_run::journal {

namespace {

// A whole, intact record with this body, whatever it is.
std::string framed(std::string_view body) {
    std::string record = std::string(head_size, ' ').append(body) + '\n';
    seal(record);
    return record;
}

std::string body_of(const Record& record) {
    const std::string bytes = encode(record);
    return bytes.substr(head_size, bytes.size() - head_size - 1);
}

// Is a record with this body taken, at the place where its type belongs?
bool is_taken(std::string_view body) {
    const std::uint64_t offset = body.starts_with("opened") ? 0 : 1000;
    const auto decoded = decode(framed(body), offset);
    if (decoded.health != Health::good) {
        CHECK(decoded.entries.empty());
        CHECK(decoded.consumed == offset);
        CHECK(decoded.bad_offset == offset);
    }
    return decoded.health == Health::good;
}

std::vector<std::string> fields_of(std::string_view body) {
    std::vector<std::string> fields;
    for (std::size_t begin = 0; begin <= body.size();) {
        const auto end = std::min(body.find(' ', begin), body.size());
        fields.emplace_back(body.substr(begin, end - begin));
        begin = end + 1;
    }
    return fields;
}

std::string joined(const std::vector<std::string>& fields) {
    std::string body;
    for (const auto& field : fields) {
        body += body.empty() ? field : ' ' + field;
    }
    return body;
}

// The body with another field at this place; the type is at place 0.
std::string with_field(const Record& record, std::size_t place, const std::string& value) {
    auto fields = fields_of(body_of(record));
    fields.at(place) = value;
    return joined(fields);
}

void check_round_trip(const Opened& opened, const std::vector<Record>& others) {
    std::string bytes = encode(opened);
    std::vector<Record> records{opened};
    std::vector<std::uint64_t> offsets{0};
    for (const Record& record : others) {
        offsets.push_back(bytes.size());
        records.push_back(record);
        bytes += encode(record);
    }
    const Decoded decoded = decode(bytes, 0);
    CHECK(decoded.health == Health::good);
    CHECK(decoded.consumed == bytes.size());
    REQUIRE(decoded.entries.size() == records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        CAPTURE(i);
        CHECK(decoded.entries[i].offset == offsets[i]);
        CHECK((decoded.entries[i].record == records[i]));
    }
}

} // namespace

TEST_SUITE("journal/record") {
    TEST_CASE("every record comes back as it was written, whatever bytes it holds") {
        for (const std::string& text :
             {std::string(), std::string("text"), std::string(" "), std::string("\\-"), std::string("-"),
              std::string("\x1E\n\x1E\n"), all_bytes(), encode(plain_opened())}) {
            CAPTURE(text);
            check_round_trip(opened_with(text), later_records(text));
        }
    }

    TEST_CASE("the samples have every type of record") {
        std::set<std::size_t> types{Record(Opened{}).index()};
        for (const Record& record : later_records("text")) {
            types.insert(record.index());
        }
        CHECK(types.size() == std::variant_size_v<Record>);
    }

    TEST_CASE("a text of 128 KiB comes back as it was written") {
        std::string text;
        while (text.size() < 131'072) {
            text += all_bytes();
        }
        check_round_trip(opened_with(text), {registered(plan::Cleanup::Kind::command, text)});
    }

    TEST_CASE("what may be missing or at its limit comes back as it was written") {
        Opened opened = plain_opened();
        check_round_trip(opened, {});
        opened.grace = text::Duration(0);
        opened.cleanup_timeout = text::Duration::max();
        opened.stop_signal = 64;
        opened.mask = 0777;
        opened.started = std::numeric_limits<std::int64_t>::min();
        opened.cleanup_retries = std::numeric_limits<unsigned>::max();
        opened.locks.resize(100);
        opened.environment.resize(100);
        opened.host.emplace();
        opened.drops_failed = true;
        check_round_trip(opened, {});
    }

    TEST_CASE("records are lines that a person can read") {
        CHECK(body_of(registered(plan::Cleanup::Kind::remove, "a b")) == "registered remove a\\x20b a\\x20b 0");
        CHECK(body_of(registered(plan::Cleanup::Kind::temp_dir, "", plan::Place{"/\t", 1, 2, 3})) ==
              "registered temp-dir \\- \\- 1 /\\x09 1 2 3");
        CHECK(body_of(Started{Started::What::cleanup, {2, 3}, 4}) == "started cleanup 2 3 4");
        CHECK(body_of(SetupEnded{}) == "setup-ended");
        CHECK(body_of(Ended{{plan::Result::caller_gone, 143, 15}}) == "ended caller-gone 143 15");
        CHECK(body_of(CleanupEnded{5, "it \\ \x7F"}) == "finished 5 it\\x20\\x5c\\x20\\x7f");
        CHECK(body_of(CleanupFailed{5, 7, 0, 2, 1'700'000'000, "exit status 7"}) ==
              "failed 5 1 7 0 2 1700000000 exit\\x20status\\x207");
        CHECK(body_of(StopAsked{5}) == "stop-asked 5");
        CHECK(body_of(HandedOver{}) == "handed-over");
        CHECK(body_of(TakenOver{plan::Actor::recovery, {6, 7}}) == "taken-over recovery 6 7");
        CHECK(body_of(Over{true}) == "over dropped");
        CHECK(body_of(HeldAtEngine{"etcd:x", "42", 1'700'000'000, false}) ==
              "held-at-engine etcd:x 42 1700000000 exclusive");
        CHECK(body_of(LockLost{"etcd:x", "it ended", 1'700'000'000}) == "lock-lost etcd:x it\\x20ended 1700000000");
        CHECK(body_of(plain_opened()) ==
              "opened 1 \\- \\- 0 1 0 0 0 shared-group 0 \\- 0 0 0 0 15 none none 0 \\- \\- \\- 0");
        CHECK(body_of(opened_with("t")) ==
              "opened 1 t t 4026531836 4711 123456789012 1700000000 4700 own-group 2 t 64769 1234 exclusive "
              "/run/lock/other 7 8 shared t 64769 5678 1600000000000000000 27 15 10000000000 none 3 t t t 3 PATH=/bin "
              "HOME=t t t t 4026531834 2 TOKEN t");
    }

    TEST_CASE("a line written between fork and exec is what encode writes") {
        constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
        for (const auto what : {Started::What::setup, Started::What::command, Started::What::cleanup}) {
            for (const auto& started : {Started{what, {1, 0}, 0}, Started{what, {4711, 123}, 456},
                                        Started{what, {std::numeric_limits<pid_t>::max(), largest}, largest},
                                        Started{what, {std::numeric_limits<pid_t>::min(), largest}, largest}}) {
                const StartedLine line(started);
                CHECK(std::string(line.bytes().data(), line.bytes().size()) == encode(started));
            }
        }
    }

    TEST_CASE("a record with a field too few or too many is damage") {
        std::vector<Record> records = later_records("text");
        records.emplace_back(opened_with("text"));
        records.emplace_back(plain_opened());
        for (const Record& record : records) {
            const std::string body = body_of(record);
            CAPTURE(body);
            REQUIRE(is_taken(body));
            CHECK_FALSE(is_taken(body + " "));
            // Older versions have neither the path of a removal without its links nor the host and what comes with it.
            const auto* const registered = std::get_if<Registered>(&record);
            const bool removal = registered != nullptr && registered->cleanup.kind == plan::Cleanup::Kind::remove;
            const bool resolved = removal && !registered->cleanup.resolved.empty();
            const auto* const opened = std::get_if<Opened>(&record);
            const std::size_t added = opened != nullptr && opened->host ? 4 + opened->withheld.size()
                                      : resolved                        ? 1
                                                                        : 0;
            CHECK(is_taken(body + " 0") == (removal && !resolved));
            CHECK_FALSE(is_taken(body + " 0 0"));
            CHECK_FALSE(is_taken(" " + body));
            auto fields = fields_of(body);
            const std::size_t all = fields.size();
            while (fields.size() > 1) {
                fields.pop_back();
                CHECK(is_taken(joined(fields)) == (added > 0 && fields.size() == all - added));
                CHECK_FALSE(is_taken(joined(fields) + " "));
            }
        }
    }

    TEST_CASE("a type, a name or a number that does not exist is damage") {
        for (const auto* body : {"x", "", "Over done", "over", "over yes", "over done done", "setup-ended ", "setup",
                                 "handed-over x", "ended won 0 0", "taken-over nobody 1 1", "started thing 1 1 0"}) {
            CAPTURE(body);
            CHECK_FALSE(is_taken(body));
        }
        const Record ended = Ended{{plan::Result::failure, 1, 0}};
        for (const auto* number : {"", "x", "+1", " 1", "01", "00", "-0", "-1", "256", "1.", "0x1", "1e1", "\\x31",
                                   "\\-", "99999999999999999999999"}) {
            CAPTURE(number);
            CHECK_FALSE(is_taken(with_field(ended, 2, number)));
        }
        REQUIRE(is_taken(with_field(ended, 2, "255")));
        REQUIRE(is_taken(with_field(ended, 3, "64")));
        CHECK_FALSE(is_taken(with_field(ended, 3, "65")));
        CHECK_FALSE(is_taken(with_field(ended, 3, "-1")));
    }

    TEST_CASE("a process that cannot be is damage") {
        for (const auto* pid : {"0", "-1", "2147483648", "-2147483648"}) {
            CAPTURE(pid);
            CHECK_FALSE(is_taken(with_field(Started{}, 2, pid)));
            CHECK_FALSE(is_taken(with_field(TakenOver{}, 2, pid)));
            CHECK_FALSE(is_taken(with_field(plain_opened(), 5, pid)));
        }
        REQUIRE(is_taken(with_field(Started{}, 2, "2147483647")));
        REQUIRE(is_taken(with_field(TakenOver{}, 2, "1")));
        CHECK_FALSE(is_taken(with_field(Started{Started::What::command, {1, 0}, 0}, 3, "18446744073709551616")));
    }

    TEST_CASE("an impossible value of the first record is damage") {
        const auto fields = fields_of(body_of(plain_opened()));
        const auto place_of_mask = 15U;
        REQUIRE(fields.at(place_of_mask + 1) == "15");
        const auto taken = [](std::size_t place, const std::string& value) {
            return is_taken(with_field(plain_opened(), place, value));
        };
        CHECK(taken(8, "0"));
        CHECK_FALSE(taken(8, "-1"));
        CHECK_FALSE(taken(9, "shared"));
        CHECK_FALSE(taken(10, "1"));
        CHECK_FALSE(taken(10, "18446744073709551615"));
        CHECK(taken(place_of_mask, "777"));
        CHECK_FALSE(taken(place_of_mask, "1000"));
        CHECK_FALSE(taken(place_of_mask, "8"));
        CHECK(taken(place_of_mask + 1, "1"));
        CHECK_FALSE(taken(place_of_mask + 1, "0"));
        CHECK_FALSE(taken(place_of_mask + 1, "65"));
        CHECK(taken(place_of_mask + 2, "0"));
        CHECK_FALSE(taken(place_of_mask + 2, "-1"));
        CHECK_FALSE(taken(place_of_mask + 2, "None"));
        CHECK_FALSE(taken(place_of_mask + 3, "9223372036854775808"));
        CHECK_FALSE(taken(place_of_mask + 4, "4294967296"));
        CHECK_FALSE(taken(place_of_mask + 8, "18446744073709551615"));
    }

    TEST_CASE("a list that claims more than there is, or less, is damage") {
        CHECK(is_taken("registered remove a b 0"));
        CHECK_FALSE(is_taken("registered remove a b 1"));
        CHECK_FALSE(is_taken("registered remove a b 0 / 1 2 3"));
        CHECK(is_taken("registered remove a b 1 / 1 2 3"));
        CHECK_FALSE(is_taken("registered remove a b 2"));
        CHECK_FALSE(is_taken("registered remove a b 2 / 1 2 3 / 1 2 3"));
        const std::string body = body_of(opened_with("t"));
        CHECK(is_taken(body));
        CHECK_FALSE(is_taken(body + " t"));
    }

    TEST_CASE("an escape that is never written is damage") {
        CHECK(is_taken("finished 1 \\x00\\x1e\\x0a\\x5c"));
        for (const auto* text :
             {"", "\\", "\\x", "\\x0", "\\x0g", "\\x0A", "\\x41", "\\n", "\\y00", "a\\-", "\\-a", "\\xff", "\\\\"}) {
            CAPTURE(text);
            CHECK_FALSE(is_taken(std::string("finished 1 ") + text));
        }
    }

    TEST_CASE("an escape that is cut off is not completed by what lies behind the field") {
        constexpr std::string_view escape = "\\x1e";
        CHECK(unescaped(escape) == "\x1E");
        for (std::size_t size = 1; size < escape.size(); ++size) {
            CHECK_FALSE(unescaped(escape.substr(0, size)).has_value());
        }
    }

    TEST_CASE("the first record of a journal is the opening one, and no other is") {
        CHECK(decode("", 0).health == Health::good);
        CHECK(decode(encode(Over{}), 0).health == Health::damaged);
        const std::string opening = encode(plain_opened());
        const auto twice = decode(opening + opening, 0);
        CHECK(twice.health == Health::damaged);
        CHECK(twice.bad_offset == opening.size());
        CHECK(twice.entries.size() == 1);
        CHECK(decode(opening, opening.size()).health == Health::damaged);
    }

    TEST_CASE("a first record that was cut off has nothing behind it") {
        const std::string opening = encode(plain_opened());
        for (std::size_t size = 1; size < opening.size(); ++size) {
            CAPTURE(size);
            for (const std::string& next : {opening, encode(Over{})}) {
                const auto decoded = decode(opening.substr(0, size) + next, 0);
                CHECK(decoded.health == Health::damaged);
                CHECK(decoded.bad_offset == 0);
                CHECK(decoded.entries.empty());
            }
        }
    }

    TEST_CASE("a journal of a newer format is recognised, whatever else it says") {
        Opened opened = plain_opened();
        opened.version = format_version + 1;
        for (const std::string& bytes :
             {encode(opened), framed("opened 2"), framed("opened 2 "), framed("opened 4000000000 \\what else"),
              framed("opened 2 x") + "anything", framed("opened 0 x")}) {
            CAPTURE(bytes);
            const auto decoded = decode(bytes, 0);
            CHECK(decoded.health == Health::newer_format);
            CHECK(decoded.entries.empty());
            CHECK(decoded.consumed == 0);
        }
        for (const auto* body : {"opened", "opened x", "opened 1 x", "opened 02", "opened -2", "over 2"}) {
            CAPTURE(body);
            CHECK(decode(framed(body), 0).health == Health::damaged);
        }
        std::string damaged = framed("opened 2 x");
        damaged[damaged.size() - 2] = 'y';
        CHECK(decode(damaged, 0).health == Health::damaged);
        CHECK(decode(framed("opened 2 x"), 1000).health == Health::damaged);
    }

    TEST_CASE("ten thousand records are read in one go") {
        std::string bytes = encode(plain_opened());
        const std::string torn = encode(registered(plan::Cleanup::Kind::command, "torn")).substr(0, 30);
        for (int i = 0; i < 10'000; ++i) {
            bytes += torn + encode(CleanupEnded{static_cast<std::uint64_t>(i), "text"});
        }
        const auto decoded = decode(bytes, 0);
        CHECK(decoded.entries.size() == 10'001);
        CHECK(decoded.consumed == bytes.size());
    }
}

} // namespace finally_run::journal
