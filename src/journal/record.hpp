// The records of a journal, and their form on disk. Nothing here touches a file.
//
// A journal is a sequence of records, each framed as in RFC 7464 (JSON text sequences): RS (0x1E), the record, LF. The
// record itself is a line that a person can read:
//
//     RS SIZE SP CRC SP TYPE (SP FIELD)... LF
//
// SIZE is the length of the whole record from RS to LF in bytes, eight hexadecimal digits. CRC is the CRC-32C (RFC
// 3720, section 12.1) of all that follows the blank behind it, up to and without LF, eight hexadecimal digits, seeded
// with SIZE's eight digits (they are part of the checksummed text). Neither RS nor LF occurs inside, since a FIELD has
// control characters, blanks, backslashes and DEL as \xHH; an empty FIELD is "\-"; all other bytes stand for
// themselves.
//
// Many processes append at once, one write(2) a record (O_APPEND). A write that was cut off (disk full, SIGKILL between
// two pages) leaves a record without its end, and the next one may follow: it was never acknowledged and does not
// count. Everything else that is not a whole record is damage.
#pragma once

#include "plan/cleanup.hpp"
#include "plan/result.hpp"
#include "text/duration.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace finally_run::journal {

// Raised when a reader of the version before would do harm with what it can read. A type of record, a word or a field
// that it does not know is no such thing: to it the journal is damaged from there on, so that it executes nothing of it
// and leaves it where it is. It rather finishes a run in which there is none of them.
inline constexpr unsigned format_version = 1;

// A process is meant if it has this pid and had started by then: whoever has the pid later started later.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t boot_nanoseconds = 0; // CLOCK_BOOTTIME

    bool operator==(const ProcessId&) const = default;
};

struct LockId {
    std::string path; // absolute
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool shared = false;

    bool operator==(const LockId&) const = default;
};

// Where it was, beyond its boot and pid namespace.
struct Host {
    std::string machine_id;           // machine-id(5); empty: it has none
    std::string name;                 // uname(2)
    std::uint64_t time_namespace = 0; // inode of /proc/self/ns/time; 0: not known, or there are none

    bool operator==(const Host&) const = default;
};

// The first record: all that somebody else needs to finish the run.
struct Opened {
    unsigned version = format_version;
    std::string run_id;
    std::string boot_id;             // /proc/sys/kernel/random/boot_id; empty: not known
    std::uint64_t pid_namespace = 0; // inode of /proc/self/ns/pid: pids of another one mean nothing here; 0: not known
    ProcessId supervisor;
    std::int64_t started = 0; // seconds since the epoch
    pid_t session = 0;        // of the supervisor, its setups and its command
    bool own_group = false;   // ... which lead process groups of their own there
    std::vector<LockId> locks;
    plan::Place place; // where it was started
    mode_t mask = 0;   // umask(2)
    int stop_signal = 0;
    text::Limit grace;
    text::Limit cleanup_timeout;
    unsigned cleanup_retries = 0;
    std::string command;                  // for people: its words, perhaps cut
    std::string job_url;                  // of the CI job; empty: none
    std::string outer;                    // the journal of the run around this one; empty: none
    std::vector<std::string> environment; // "NAME=value": what recovery may use
    std::optional<Host> host;             // journals of older versions have none
    std::vector<std::string> withheld; // names of variables that are not in `environment`; only where there is a host
    bool drops_failed = false;         // a cleanup that fails is given up

    [[nodiscard]] std::string host_name() const { return host ? host->name : "whose name is not known"; }

    bool operator==(const Opened&) const = default;
};

// A cleanup is on the stack from here on; its id is the offset of this record in the file.
struct Registered {
    plan::Cleanup cleanup; // the id is not written

    bool operator==(const Registered&) const = default;
};

// A process was made; written by itself, before it becomes the step's program.
struct Started {
    enum class What { setup, command, cleanup, service };
    What what = What::command;
    ProcessId process;
    std::uint64_t cleanup = 0; // What::cleanup: its id; What::service: of its stop

    bool operator==(const Started&) const = default;
};

[[nodiscard]] std::string_view name_of(Started::What what);

// A setup, and whoever had to end with it, is over.
struct SetupEnded {
    bool operator==(const SetupEnded&) const = default;
};

// Setups and command are over; the cleanups begin.
struct Ended {
    plan::Ending ending;

    bool operator==(const Ended&) const = default;
};

// A cleanup has run and is done with.
struct CleanupEnded {
    std::uint64_t cleanup = 0;
    std::string error; // why it failed, and was given up; empty: it succeeded

    bool operator==(const CleanupEnded&) const = default;
};

// A cleanup has failed and stays registered, until it has succeeded or the run is forgotten.
struct CleanupFailed {
    std::uint64_t cleanup = 0;
    std::optional<int> exit_code; // of the last attempt, as a shell shows it; none: it was not started
    int signal = 0;               // what killed the last attempt
    unsigned attempts = 0;
    std::int64_t time = 0; // seconds since the epoch
    std::string error;

    bool operator==(const CleanupFailed&) const = default;
};

// A person has asked for the end of a cleanup that had begun (--stop). However it ends, it has failed; until that is
// written nobody begins it again.
struct StopAsked {
    std::uint64_t cleanup = 0;

    bool operator==(const StopAsked&) const = default;
};

// The supervisor returns while a cleanup still runs: whoever takes over lets that end and does not run it again.
struct HandedOver {
    bool operator==(const HandedOver&) const = default;
};

// Whoever finishes the run writes its report too: where, and what the first record has cut short.
struct ReportWanted {
    std::string path; // absolute
    std::vector<std::string> command;

    bool operator==(const ReportWanted&) const = default;
};

struct TakenOver {
    plan::Actor by = plan::Actor::guardian;
    ProcessId process;

    bool operator==(const TakenOver&) const = default;
};

// A lock that machines share is held at its engine, by the keeper.
struct HeldAtEngine {
    std::string name;      // ENGINE:NAME
    std::string token;     // empty: the engine has none
    std::int64_t time = 0; // seconds since the epoch
    bool shared = false;

    bool operator==(const HeldAtEngine&) const = default;
};

// ... and is not any more, before the run has given it back.
struct LockLost {
    std::string name;
    std::string reason;
    std::int64_t time = 0; // seconds since the epoch

    bool operator==(const LockLost&) const = default;
};

// The end of the run, if the stack is empty here or `dropped` says that what is on it never runs: nothing had begun, or
// a person has said so. Cleanups registered before it that the writer had not seen make it void. If some have failed
// the journal stays behind it; who takes the run over to try them again goes on with it.
struct Over {
    bool dropped = false;

    bool operator==(const Over&) const = default;
};

using Record = std::variant<Opened, Registered, Started, SetupEnded, Ended, CleanupEnded, CleanupFailed, StopAsked,
                            HandedOver, ReportWanted, TakenOver, Over, HeldAtEngine, LockLost>;

// Throws std::bad_alloc only.
[[nodiscard]] std::string encode(const Record& record);
// The same without a copy of it: each run writes one, before the guardian is forked.
[[nodiscard]] std::string encode_opened(const Opened& opened);

// The same for Started, in a buffer and without malloc(3): the process writes it between fork and exec.
class StartedLine {
public:
    explicit StartedLine(const Started& started) noexcept;
    [[nodiscard]] std::span<const char> bytes() const noexcept { return {m_bytes.data(), m_size}; }

private:
    std::array<char, 128> m_bytes{};
    std::size_t m_size = 0;
};

struct Entry {
    std::uint64_t offset; // in the file
    Record record;
};

// What bytes of a journal begin with.
struct First {
    enum class Kind {
        record,
        torn,       // it does not count
        unfinished, // by the end of the bytes: its writer may not be done
        damaged,
        newer_format,
    };
    Kind kind;
    std::size_t size = 0;              // record, torn: how far it reaches
    std::optional<Record> record = {}; // record
};

// `bytes` are not empty and begin at `offset` in the file, where a record begins. At offset 0 it must be Opened.
[[nodiscard]] First first_of(std::string_view bytes, std::uint64_t offset);

// How many bytes to pass over if they begin with damage: up to where the next record may begin.
[[nodiscard]] std::size_t size_of_damage(std::string_view bytes) noexcept;

enum class Health { good, damaged, newer_format };

struct Decoded {
    std::vector<Entry> entries; // of what was whole, up to the damage
    std::uint64_t consumed = 0; // offset in the file behind the last whole record: read on from here
    Health health = Health::good;
    std::uint64_t bad_offset = 0; // where the damage is
};

// `bytes` begin at `offset` in the file, where a record begins. At offset 0 the first record must be Opened (an empty
// file has none and is good). A record that is cut off at the end is not consumed: its writer may not be done.
[[nodiscard]] Decoded decode(std::string_view bytes, std::uint64_t offset);

} // namespace finally_run::journal
