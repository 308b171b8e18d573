#include "engine/message.hpp"

#include <algorithm>
#include <charconv>

namespace finally_run::engine {

std::string_view name_of(Message::What what) {
    using enum Message::What;
    switch (what) {
    case waiting:
        return "waiting";
    case unclean:
        return "unclean";
    case held:
        return "held";
    case busy:
        return "busy";
    case failed:
        return "failed";
    case lost:
        return "lost";
    case released:
        return "released";
    case begin:
        return "begin";
    case clean:
        return "clean";
    case release:
        return "release";
    }
    return "";
}

std::string encode(const Message& message) {
    std::string packet(name_of(message.what));
    packet.append(" ").append(std::to_string(message.lock)).append(" ").append(message.text);
    packet.resize(std::min(packet.size(), longest_packet));
    return packet;
}

std::optional<Message> decode(std::string_view packet) {
    const auto after_word = packet.find(' ');
    const auto after_number = after_word == packet.npos ? packet.npos : packet.find(' ', after_word + 1);
    if (after_number == packet.npos) {
        return std::nullopt;
    }
    const auto word = packet.substr(0, after_word);
    Message message{};
    const char* const last = packet.data() + after_number;
    const auto [end, error] = std::from_chars(packet.data() + after_word + 1, last, message.lock);
    if (error != std::errc() || end != last) {
        return std::nullopt;
    }
    message.text = packet.substr(after_number + 1);
    for (int i = 0; !name_of(static_cast<Message::What>(i)).empty(); ++i) {
        message.what = static_cast<Message::What>(i);
        if (word == name_of(message.what)) {
            return message;
        }
    }
    return std::nullopt;
}

} // namespace finally_run::engine
