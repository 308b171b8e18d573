// One journal that is there: does its run live, is it left over, can it be read?
#pragma once

#include "journal/file.hpp"
#include "journal/origin.hpp"
#include "journal/state.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace finally_run::journal {

// Over by now, or nothing of it had begun.
struct Gone {};

// Somebody holds its lock: its supervisor, its guardian, or a recovery.
struct Alive {};

// A journal gets its name with its first record in it, which only a power loss or somebody else takes out again.
inline constexpr std::string_view no_first_record = "its first record is missing";

// Nothing of it may be executed.
struct Unreadable {
    std::string reason;
};

// Nobody will finish it but us: its lock is ours for as long as the file is open.
struct Leftover {
    File file;
    State state;
};

// Left unfinished on another host: its cleanups are for that one's files, and whether it lives may not show here.
struct Elsewhere {
    State state;
};

using Found = std::variant<Gone, Alive, Unreadable, Leftover, Elsewhere>;

// Those who only look hold the lock for a moment too, so one refusal proves nothing. With patience it is asked for
// again and again for a moment.
enum class Patience { none, some };

// Whose leftovers are asked for. Only a person who names a run means another host's.
enum class Whose { this_host, any_host };

// Takes the lock of the journal if nobody has it. What is over or had not begun is removed on the way, unless it is
// another host's.
[[nodiscard]] Found claim(const std::filesystem::path& path, Patience patience, Whose whose = Whose::this_host);
// The same for who is of the run itself: of a damaged journal it gets all that the checksums prove, and the file knows
// of the damage.
[[nodiscard]] Found claim_own(const std::filesystem::path& path, Patience patience);

// The same for who only says what it is. Its lock is shared with others who do: whoever is to finish the run sees that
// nobody does, and waits for us.
[[nodiscard]] Found look_at(const std::filesystem::path& path);

// Whether nothing is known to have begun, and what was cut off behind that may have said that something has. Of a file
// that `state` was read from to its end. Throws std::system_error.
[[nodiscard]] bool may_have_begun(const State& state, const File& file);

// Of a run that nobody works on: the command, the step that was at work when everybody of it was killed, or else a
// service, if it still runs here.
[[nodiscard]] std::optional<Started> living_step(const State& state, const Origin& origin);
// Whether the step that began last may still run, where its pid means nothing to us.
[[nodiscard]] bool may_live_untold(const State& state, const Origin& origin);

// All that is in a journal at this moment, whoever has its lock. nullopt if it cannot be read.
[[nodiscard]] std::optional<State> read_state(const std::filesystem::path& path, std::string* error = nullptr);

} // namespace finally_run::journal
