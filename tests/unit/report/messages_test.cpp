#include "report/messages.hpp"

#include "channel.hpp"

#include <chrono>
#include <climits>

namespace {

using namespace finally_run;
using plan::Verbosity;
using report::Messages;
using test::Variable;

// The test's own environment must not decide.
struct PlainEnvironment {
    Variable github{"GITHUB_ACTIONS", nullptr};
    Variable azure{"TF_BUILD", nullptr};
    Variable no_colour{"NO_COLOR", nullptr};
    Variable terminal{"TERM", "xterm"};
};

} // namespace

TEST_CASE("a message is one line with the program's name, what, which and why") {
    const PlainEnvironment plain;
    auto channel = test::pipe_channel();
    Messages messages(Verbosity::normal, channel.writer.get());
    messages.error("cleanup failed", "docker compose down", "exit status 1");
    CHECK(channel.all() == "finally-run: cleanup failed: docker compose down: exit status 1\n");
}

TEST_CASE("empty parts of a message are left out with their colon") {
    const PlainEnvironment plain;
    CHECK(report::text_of({"stopped"}) == "finally-run: stopped");
    CHECK(report::text_of({"stopped", "", "too late"}) == "finally-run: stopped: too late");
    CHECK(report::text_of({"", "make", ""}) == "finally-run: make");
}

TEST_CASE("line ends and escape sequences in any part of a message are made visible") {
    const PlainEnvironment plain;
    CHECK(report::text_of({"a\nb", "\x1b[31m", "c\rd"}) == "finally-run: a\\nb: \\e[31m: c\\rd");
}

TEST_CASE("what one message made visible is the same in the next one") {
    const PlainEnvironment plain;
    CHECK(report::text_of({"held", "", "by \\e[31m"}) == "finally-run: held: by \\e[31m");
}

TEST_CASE("even the longest message is one write") {
    const PlainEnvironment plain;
    auto channel = test::pipe_channel(O_DIRECT); // a packet for each write
    Messages messages(Verbosity::normal, channel.writer.get());
    const std::string bytes(5000, '\xff');
    messages.error(bytes, bytes, bytes);
    std::array<char, PIPE_BUF> packet{};
    const ssize_t size = read(channel.reader.get(), packet.data(), packet.size());
    REQUIRE(size > 1000);
    CHECK(packet.at(static_cast<std::size_t>(size) - 1) == '\n');
}

TEST_CASE("quiet leaves errors alone, verbose adds details") {
    const PlainEnvironment plain;
    const auto said = [](Verbosity verbosity) {
        auto channel = test::pipe_channel();
        Messages messages(verbosity, channel.writer.get());
        messages.error("e");
        messages.note("n");
        messages.detail("d");
        messages.transient("t");
        return channel.all();
    };
    CHECK(said(Verbosity::quiet) == "finally-run: e\n");
    CHECK(said(Verbosity::normal) == "finally-run: e\nfinally-run: n\nfinally-run: t\n");
    CHECK(said(Verbosity::verbose) == "finally-run: e\nfinally-run: n\nfinally-run: d\nfinally-run: t\n");
}

TEST_CASE("a closed stderr, or one that nobody reads, changes nothing") {
    const PlainEnvironment plain;
    auto channel = test::pipe_channel();
    channel.reader.reset();
    Messages unread(Verbosity::normal, channel.writer.get());
    Messages closed(Verbosity::normal, -1);
    errno = ENOTTY;
    unread.error("nobody reads this");
    closed.error("nor this");
    CHECK(errno == ENOTTY);
}

TEST_CASE("a reader that reads nothing costs about a second in all, and gets later messages again") {
    const PlainEnvironment plain;
    for (const int flags : {0, O_NONBLOCK}) {
        CAPTURE(flags);
        auto channel = test::pipe_channel(O_NONBLOCK);
        const std::string page(4096, '.');
        while (write(channel.writer.get(), page.data(), page.size()) > 0) {
        }
        REQUIRE(fcntl(channel.writer.get(), F_SETFL, flags) == 0);
        Messages messages(Verbosity::normal, channel.writer.get());
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 10; ++i) {
            messages.error("lost");
        }
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
        std::string drained(1 << 20, ' ');
        REQUIRE(read(channel.reader.get(), drained.data(), drained.size()) > 0);
        messages.error("heard");
        CHECK(channel.all() == "finally-run: heard\n");
    }
}

TEST_CASE("colour is for terminals that have it, and never with NO_COLOR") {
    const PlainEnvironment plain;
    const auto said = [] {
        auto channel = test::terminal_channel();
        Messages(Verbosity::normal, channel.writer.get()).error("e");
        return channel.all();
    };
    CHECK(said() == "\x1b[1;31mfinally-run:\x1b[0m e\n");
    {
        const Variable dumb("TERM", "dumb");
        CHECK(said() == "finally-run: e\n");
    }
    {
        const Variable unset("TERM", nullptr);
        CHECK(said() == "finally-run: e\n");
    }
    {
        const Variable forbidden("NO_COLOR", "1");
        CHECK(said() == "finally-run: e\n");
    }
    const Variable empty("NO_COLOR", "");
    CHECK(said().starts_with("\x1b["));
}

TEST_CASE("on a terminal a waiting line replaces the one before, and goes away at the end") {
    const PlainEnvironment plain;
    auto channel = test::terminal_channel();
    Messages messages(Verbosity::normal, channel.writer.get());
    messages.transient("waiting", "deploy", "2s");
    messages.transient("waiting", "deploy", "3s");
    messages.finish_transient();
    messages.finish_transient();
    CHECK(channel.all() == "finally-run: waiting: deploy: 2s\r\x1b[Kfinally-run: waiting: deploy: 3s\r\x1b[K");
}

TEST_CASE("a message takes the place of a waiting line") {
    const PlainEnvironment plain;
    const Variable no_colour("NO_COLOR", "1");
    auto channel = test::terminal_channel();
    Messages messages(Verbosity::normal, channel.writer.get());
    messages.transient("waiting");
    messages.error("not had");
    messages.finish_transient();
    CHECK(channel.all() == "finally-run: waiting\r\x1b[Kfinally-run: not had\n");
}

TEST_CASE("a waiting line never wraps, wide characters included") {
    const PlainEnvironment plain;
    auto channel = test::terminal_channel(20);
    Messages messages(Verbosity::normal, channel.writer.get());
    messages.transient("waiting for long");
    messages.transient("\u65e5\u65e5\u65e5\u65e5\u65e5");
    CHECK(channel.all() == "finally-run: waitin\r\x1b[Kfinally-run: \u65e5\u65e5\u65e5");
}

TEST_CASE("without a terminal a waiting line is a line like others") {
    const PlainEnvironment plain;
    auto channel = test::pipe_channel();
    Messages messages(Verbosity::normal, channel.writer.get());
    CHECK(messages.transient("waiting", "one") == Messages::Said::as_a_line);
    CHECK(messages.transient("waiting", "two") == Messages::Said::as_a_line);
    messages.finish_transient();
    CHECK(channel.all() == "finally-run: waiting: one\nfinally-run: waiting: two\n");
}

TEST_CASE("where the log's reader takes commands anywhere in a line, foreign text holds none") {
    const PlainEnvironment plain;
    CHECK(report::text_of({"w", "##[error]x ###"}) == "finally-run: w: #\\x23[error]x ###");
    CHECK(report::text_of({"w", "###[a]##vso[b]"}).find("##[") == std::string::npos);
    CHECK(report::text_of({"w", "##vso[b]"}).find("##vso[") == std::string::npos);
}
