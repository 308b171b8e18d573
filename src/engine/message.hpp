// What keeper and run tell each other, one packet each: a word, for some the number of the lock, and a text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace finally_run::engine {

struct Message {
    enum class What {
        // The keeper, of one lock:
        waiting, // who holds it
        unclean, // who has not cleaned up
        held,    // the token
        busy,    // it cannot be had: somebody holds it
        failed,  // it cannot be had: why
        lost,    // why; nothing follows it
        // The keeper, of all of them:
        released, // or it has said of which that is not known
        // The run, of all its locks:
        begin, // whom to remember as unclean
        clean,
        release,
    };
    What what;
    std::size_t lock = 0; // its place in the order in which they are taken
    std::string text = {};

    bool operator==(const Message&) const = default;
};

[[nodiscard]] std::string_view name_of(Message::What what);

// At most `longest_packet` bytes: a text that is too long is cut.
inline constexpr std::size_t longest_packet = 16384;
[[nodiscard]] std::string encode(const Message& message);
// nullopt: it is none.
[[nodiscard]] std::optional<Message> decode(std::string_view packet);

} // namespace finally_run::engine
