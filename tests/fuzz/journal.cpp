// Fuzzes the decoder of journals: the input is a journal.
#include "journal/frame.hpp"
#include "journal/record.hpp"
#include "require.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>

namespace finally_run::fuzz {

namespace {

using journal::Decoded;
using journal::Health;

// The journal with the size and the checksum of every record put right: they keep a fuzzer from what is behind them.
std::string repaired(std::string bytes) {
    for (std::size_t begin = bytes.find('\x1E'); begin != bytes.npos; begin = bytes.find('\x1E', begin + 1)) {
        const std::size_t end = bytes.find_first_of("\x1E\n", begin + 1);
        if (end != bytes.npos && bytes[end] == '\n' && end - begin > journal::head_size) {
            journal::seal(std::span(bytes).subspan(begin, end + 1 - begin));
        }
    }
    return bytes;
}

bool same(const Decoded& one, const Decoded& other) {
    const auto same_entry = [](const journal::Entry& a, const journal::Entry& b) {
        return a.offset == b.offset && a.record == b.record;
    };
    return std::ranges::equal(one.entries, other.entries, same_entry) && one.consumed == other.consumed &&
           one.health == other.health && one.bad_offset == other.bad_offset;
}

Decoded decode_in_halves(std::string_view bytes, std::size_t split, std::uint64_t offset) {
    Decoded decoded = journal::decode(bytes.substr(0, split), offset);
    if (decoded.health == Health::good) {
        const Decoded rest = journal::decode(bytes.substr(decoded.consumed - offset), decoded.consumed);
        decoded.entries.insert(decoded.entries.end(), rest.entries.begin(), rest.entries.end());
        decoded.consumed = rest.consumed;
        decoded.health = rest.health;
        decoded.bad_offset = rest.bad_offset;
    }
    return decoded;
}

void check_entry(const journal::Entry& entry, std::string_view at) {
    const std::string again = journal::encode(entry.record);
    require(at.starts_with(again), "a record is encoded as it was read");
    const Decoded decoded = journal::decode(again, entry.offset);
    require(decoded.health == Health::good && decoded.entries.size() == 1, "an encoded record can be read");
    require(decoded.entries.front().record == entry.record, "a record is read as it was encoded");
    if (const auto* const started = std::get_if<journal::Started>(&entry.record)) {
        const journal::StartedLine line(*started);
        require(again == std::string_view(line.bytes().data(), line.bytes().size()), "StartedLine is what encode says");
    }
}

// What a run's own reader finds, which passes over damage.
void check_salvage(std::string_view bytes, std::uint64_t offset, const Decoded& decoded) {
    using Kind = journal::First::Kind;
    std::size_t found = 0;
    while (!bytes.empty()) {
        const journal::First first = journal::first_of(bytes, offset);
        if (first.kind == Kind::unfinished) {
            break;
        }
        if (first.kind == Kind::record) {
            require(first.record.has_value(), "a record is there");
            require(found >= decoded.entries.size() || decoded.entries[found].offset == offset,
                    "what stands before the damage is found with and without it");
            ++found;
            check_entry({offset, *first.record}, bytes);
        }
        const bool bad = first.kind == Kind::damaged || first.kind == Kind::newer_format;
        const std::size_t size = bad ? journal::size_of_damage(bytes) : first.size;
        require(size > 0 && size <= bytes.size(), "there is an end to it");
        bytes.remove_prefix(size);
        offset += size;
    }
    require(found >= decoded.entries.size(), "nothing is lost that is found without passing over damage");
}

void check(std::string_view bytes, std::uint64_t offset) {
    const Decoded decoded = journal::decode(bytes, offset);
    const std::uint64_t end = offset + bytes.size();
    require(decoded.consumed >= offset && decoded.consumed <= end, "no more is consumed than there is");
    require(decoded.health == Health::good || (decoded.bad_offset >= decoded.consumed && decoded.bad_offset < end),
            "damage is in what was not consumed");
    std::uint64_t behind = offset;
    for (const auto& entry : decoded.entries) {
        require(entry.offset >= behind, "records do not overlap");
        require(behind > 0 || entry.offset == 0, "a journal begins with a record");
        const auto between = bytes.substr(behind - offset, entry.offset - behind);
        require(between.find('\n') == between.npos, "what is passed over has no end");
        require(std::holds_alternative<journal::Opened>(entry.record) == (entry.offset == 0), "Opened comes first");
        check_entry(entry, bytes.substr(entry.offset - offset));
        behind = entry.offset + journal::encode(entry.record).size();
    }
    check_salvage(bytes, offset, decoded);
    require(decoded.consumed == behind, "all is consumed up to the end of the last record");

    // Anywhere, but at the same places when this input is tried again.
    std::uint32_t random = journal::crc32c(bytes);
    for (int i = 0; i < 4; ++i) {
        const Decoded halves = decode_in_halves(bytes, random % (bytes.size() + 1), offset);
        require(same(halves, decoded), "reading in two halves is reading at once");
        random = random * 1'664'525 + 1'013'904'223;
    }
}

} // namespace

} // namespace finally_run::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace finally_run;
    const std::string bytes(data, data + size);
    constexpr std::uint64_t in_the_middle = 1000;
    for (const std::string& input : {bytes, fuzz::repaired(bytes)}) {
        fuzz::check(input, 0);
        fuzz::check(input, in_the_middle);
    }
    return 0;
}
