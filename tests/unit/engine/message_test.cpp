#include "engine/message.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>

using namespace finally_run;
using engine::Message;

TEST_CASE("what keeper and run tell each other comes out as it went in") {
    for (int what = 0; !engine::name_of(static_cast<Message::What>(what)).empty(); ++what) {
        for (const std::string_view text : {"", "a text of words", " blanks ", "line\nend"}) {
            const Message message{static_cast<Message::What>(what), 12, std::string(text)};
            CHECK(engine::decode(engine::encode(message)) == message);
        }
    }
}

TEST_CASE("what is no message between keeper and run is none") {
    for (const std::string_view packet : {"", "held", "held 1", "held x y", "held -1 y", "helt 1 y", "held  y"}) {
        CHECK_FALSE(engine::decode(packet));
    }
}

TEST_CASE("a message with a long text fits into a packet") {
    const auto packet = engine::encode({Message::What::waiting, 0, std::string(1 << 20, 'x')});
    CHECK(packet.size() == engine::longest_packet);
    CHECK(engine::decode(packet));
}
