#include "os/write_all.hpp"

#include "../report/channel.hpp"

#include <cerrno>

namespace {

using namespace finally_run;
using namespace std::chrono_literals;
using os::write_all;

} // namespace

TEST_CASE("a terminal that nobody reads keeps nobody") {
    const auto channel = test::terminal_channel();
    // Far more than it takes: with a blocking descriptor write(2) would wait for room.
    CHECK(write_all(channel.writer.get(), std::string(1 << 20, 'x'), 50ms) == ETIMEDOUT);
    CHECK(write_all(channel.writer.get(), "x", 0ms) == ETIMEDOUT);
}

TEST_CASE("what cannot be written to is told apart from what is only full") {
    auto channel = test::pipe_channel();
    CHECK(write_all(-1, "x", 0ms) == EBADF);
    CHECK(write_all(channel.writer.get(), std::string(1 << 20, 'x'), 0ms) == ETIMEDOUT);
    channel.reader.reset();
    CHECK(write_all(channel.writer.get(), "x", 0ms) == EPIPE);
}
