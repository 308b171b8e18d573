// The records of a journal, and their form on disk.
#include "journal/record.hpp"

#include "journal/fields.hpp"
#include "journal/frame.hpp"

#include <limits>
#include <new>
#include <type_traits>
#include <utility>

namespace finally_run::journal {

std::string_view name_of(Started::What what) {
    switch (what) {
    case Started::What::setup:
        return "setup";
    case Started::What::command:
        return "command";
    case Started::What::cleanup:
        return "cleanup";
    case Started::What::service:
        return "service";
    }
    return "";
}

namespace {

template <class Type> constexpr std::string_view type_name = Type::has_no_name;
template <> constexpr std::string_view type_name<Opened> = "opened";
template <> constexpr std::string_view type_name<Registered> = "registered";
template <> constexpr std::string_view type_name<Started> = "started";
template <> constexpr std::string_view type_name<SetupEnded> = "setup-ended";
template <> constexpr std::string_view type_name<Ended> = "ended";
template <> constexpr std::string_view type_name<CleanupEnded> = "finished";
template <> constexpr std::string_view type_name<CleanupFailed> = "failed";
template <> constexpr std::string_view type_name<StopAsked> = "stop-asked";
template <> constexpr std::string_view type_name<HandedOver> = "handed-over";
template <> constexpr std::string_view type_name<ReportWanted> = "report";
template <> constexpr std::string_view type_name<TakenOver> = "taken-over";
template <> constexpr std::string_view type_name<Over> = "over";
template <> constexpr std::string_view type_name<HeldAtEngine> = "held-at-engine";
template <> constexpr std::string_view type_name<LockLost> = "lock-lost";

// The fields in their order, for Writer and for Reader. Bounds are looked at when reading.

constexpr pid_t highest_pid = std::numeric_limits<pid_t>::max();
constexpr int highest_signal = 64;

template <class Value, class Type>
concept Is = std::same_as<std::remove_const_t<Value>, Type>;

void go_through(auto& fields, Is<ProcessId> auto& process) {
    fields.number(process.pid, pid_t{1}, highest_pid);
    fields.number(process.boot_nanoseconds);
}

void go_through(auto& fields, Is<LockId> auto& lock) {
    fields.text(lock.path);
    fields.number(lock.device);
    fields.number(lock.inode);
    fields.flag(lock.shared, "shared", "exclusive");
}

void go_through(auto& fields, Is<plan::Place> auto& place) {
    fields.text(place.path);
    fields.number(place.device);
    fields.number(place.inode);
    fields.number(place.born);
}

void go_through(auto& fields, Is<Host> auto& host) {
    fields.text(host.machine_id);
    fields.text(host.name);
    fields.number(host.time_namespace);
}

// The version is and stays the first field: what comes behind it is the version's affair.
void go_through(auto& fields, Is<Opened> auto& opened) {
    fields.number(opened.version, format_version, format_version);
    fields.text(opened.run_id);
    fields.text(opened.boot_id);
    fields.number(opened.pid_namespace);
    go_through(fields, opened.supervisor);
    fields.number(opened.started);
    fields.number(opened.session, pid_t{0}, highest_pid); // 0: the leader is in another pid namespace
    fields.flag(opened.own_group, "own-group", "shared-group");
    fields.list(opened.locks, [&](auto& lock) { go_through(fields, lock); });
    go_through(fields, opened.place);
    fields.number(opened.mask, mode_t{0}, mode_t{0777}, 8);
    fields.number(opened.stop_signal, 1, highest_signal);
    fields.limit(opened.grace);
    fields.limit(opened.cleanup_timeout);
    fields.number(opened.cleanup_retries);
    fields.text(opened.command);
    fields.text(opened.job_url);
    fields.text(opened.outer);
    fields.list(opened.environment, [&](auto& variable) { fields.text(variable); });
    fields.added(opened.host, [&](auto& host) {
        go_through(fields, host);
        fields.list(opened.withheld, [&](auto& name) { fields.text(name); });
    });
    fields.added_flag(opened.drops_failed, "drops-failed");
}

void go_through(auto& fields, Is<Registered> auto& registered) {
    fields.word(registered.cleanup.kind);
    fields.text(registered.cleanup.text);
    fields.text(registered.cleanup.variable);
    fields.list(registered.cleanup.place, [&](auto& place) { go_through(fields, place); });
    if (registered.cleanup.kind == plan::Cleanup::Kind::remove) {
        fields.added_text(registered.cleanup.resolved);
    }
}

void go_through(auto& fields, Is<Started> auto& started) {
    fields.word(started.what);
    go_through(fields, started.process);
    fields.number(started.cleanup);
}

void go_through(auto&, Is<SetupEnded> auto&) {}

void go_through(auto& fields, Is<Ended> auto& ended) {
    fields.word(ended.ending.result);
    fields.number(ended.ending.exit_code, 0, 255);
    fields.number(ended.ending.signal, 0, highest_signal);
}

void go_through(auto& fields, Is<CleanupEnded> auto& finished) {
    fields.number(finished.cleanup);
    fields.text(finished.error);
}

void go_through(auto& fields, Is<CleanupFailed> auto& failed) {
    fields.number(failed.cleanup);
    fields.list(failed.exit_code, [&](auto& code) { fields.number(code, 0, 255); });
    fields.number(failed.signal, 0, highest_signal);
    fields.number(failed.attempts);
    fields.number(failed.time);
    fields.text(failed.error);
}

void go_through(auto& fields, Is<StopAsked> auto& asked) { fields.number(asked.cleanup); }

void go_through(auto&, Is<HandedOver> auto&) {}

void go_through(auto& fields, Is<ReportWanted> auto& report) {
    fields.text(report.path);
    fields.list(report.command, [&](auto& word) { fields.text(word); });
}

void go_through(auto& fields, Is<TakenOver> auto& taken_over) {
    fields.word(taken_over.by);
    go_through(fields, taken_over.process);
}

void go_through(auto& fields, Is<Over> auto& over) { fields.flag(over.dropped, "dropped", "done"); }

void go_through(auto& fields, Is<HeldAtEngine> auto& held) {
    fields.text(held.name);
    fields.text(held.token);
    fields.number(held.time);
    fields.flag(held.shared, "shared", "exclusive");
}

void go_through(auto& fields, Is<LockLost> auto& lost) {
    fields.text(lost.name);
    fields.text(lost.reason);
    fields.number(lost.time);
}

template <class Buffer, class Type> void write(Buffer& buffer, const Type& record) {
    Writer<Buffer> fields(buffer, type_name<Type>);
    go_through(fields, record);
    buffer.push_back('\n');
}

// An empty record of the type with this name.
template <std::size_t... Index>
std::optional<Record> blank(std::string_view type, std::index_sequence<Index...> /*all*/) {
    std::optional<Record> record;
    const auto try_type = [&](auto index) {
        if (type == type_name<std::variant_alternative_t<index, Record>>) {
            record.emplace(std::in_place_index<index>);
        }
    };
    (try_type(std::integral_constant<std::size_t, Index>()), ...);
    return record;
}

std::optional<Record> read(std::string_view body) {
    Reader fields(body);
    auto record = blank(fields.type(), std::make_index_sequence<std::variant_size_v<Record>>());
    if (!record) {
        return std::nullopt;
    }
    std::visit([&](auto& typed) { go_through(fields, typed); }, *record);
    return fields.good() && fields.at_end() ? std::move(record) : std::nullopt;
}

bool has_another_version(std::string_view body) {
    Reader fields(body);
    unsigned version = 0;
    fields.number(version);
    return fields.type() == type_name<Opened> && fields.good() && version != format_version;
}

// A piece of memory that is filled like a string. Its owner knows that it is large enough.
struct Filled {
    std::span<char> memory;
    std::size_t& size;

    void push_back(char c) noexcept { memory[size++] = c; }
    void append(std::size_t count, char c) noexcept {
        for (; count > 0; --count) {
            push_back(c);
        }
    }
    void append(std::string_view text) noexcept {
        for (const char c : text) {
            push_back(c);
        }
    }
};

std::string sealed(std::string bytes) {
    if (bytes.size() > longest_record) {
        throw std::bad_alloc();
    }
    seal(bytes);
    return bytes;
}

} // namespace

std::string encode(const Record& record) {
    std::string bytes;
    std::visit([&](const auto& typed) { write(bytes, typed); }, record);
    return sealed(std::move(bytes));
}

std::string encode_opened(const Opened& opened) {
    constexpr std::size_t rest = 512; // most of it is the environment
    std::size_t size = rest + opened.command.size();
    for (const std::string& variable : opened.environment) {
        size += variable.size() + 1;
    }
    std::string bytes;
    bytes.reserve(size);
    write(bytes, opened);
    return sealed(std::move(bytes));
}

StartedLine::StartedLine(const Started& started) noexcept {
    constexpr std::size_t pid_length = std::numeric_limits<pid_t>::digits10 + 2; // with its sign
    constexpr std::size_t number_length = std::numeric_limits<std::uint64_t>::digits10 + 1;
    constexpr std::size_t longest = head_size + std::string_view("started command ").size() + pid_length + 1 +
                                    number_length + 1 + number_length + 1;
    static_assert(longest <= std::tuple_size_v<decltype(m_bytes)>);
    Filled buffer{m_bytes, m_size};
    write(buffer, started);
    seal(std::span(m_bytes).first(m_size));
}

First first_of(std::string_view bytes, std::uint64_t offset) {
    using enum First::Kind;
    const Piece piece = first_piece(bytes);
    switch (piece.kind) {
    case Piece::Kind::unfinished:
        return {unfinished};
    case Piece::Kind::damaged:
        return {damaged};
    case Piece::Kind::torn: // nobody goes on behind a first record that was cut off
        return offset > 0 ? First{torn, piece.size} : First{damaged};
    case Piece::Kind::whole:
        break;
    }
    if (offset == 0 && has_another_version(piece.body)) {
        return {newer_format};
    }
    auto read_record = read(piece.body);
    if (!read_record || std::holds_alternative<Opened>(*read_record) != (offset == 0)) {
        return {damaged};
    }
    return {record, piece.size, std::move(read_record)};
}

std::size_t size_of_damage(std::string_view bytes) noexcept {
    const auto next = bytes.find(record_separator, 1);
    return next != bytes.npos ? next : bytes.size();
}

Decoded decode(std::string_view bytes, std::uint64_t offset) {
    using enum First::Kind;
    Decoded decoded;
    decoded.consumed = offset;
    while (!bytes.empty()) {
        First first = first_of(bytes, offset);
        if (first.kind == unfinished) {
            break;
        }
        if (first.kind == damaged || first.kind == newer_format) {
            decoded.health = first.kind == damaged ? Health::damaged : Health::newer_format;
            decoded.bad_offset = offset;
            break;
        }
        if (first.kind == record) {
            decoded.entries.push_back({offset, std::move(*first.record)});
            decoded.consumed = offset + first.size;
        }
        bytes.remove_prefix(first.size);
        offset += first.size;
    }
    return decoded;
}

} // namespace finally_run::journal
