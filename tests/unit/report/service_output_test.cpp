#include "report/service_output.hpp"

#include "channel.hpp"
#include "cleanup/output.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <string>
#include <unistd.h>
#include <vector>

namespace finally_run::report {

namespace {

using When = ServiceOutput::When;

// A service that has been started, and whose output is written by us.
struct Writer {
    explicit Writer(ServiceOutput& output, std::uint64_t stop) : fd(::dup(output.writer())) { output.started(stop); }
    void write(std::string_view text) const {
        REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    os::Fd fd;
};

void let_work(ServiceOutput& output) {
    std::vector<pollfd> fds;
    output.add_to(fds);
    REQUIRE(::poll(fds.data(), fds.size(), 0) >= 0);
    output.work(fds);
}

struct Bench {
    test::TempDir dir;
    cleanup::Output stderr_or_log{dir.path() / "log"};
};

} // namespace

TEST_SUITE("report/service_output") {
    TEST_CASE("a service is called by the first word of its command without a directory") {
        CHECK(service_name("redis-server --port 7") == "redis-server");
        CHECK(service_name(" /usr/sbin/nginx -g 'daemon off;'") == "nginx");
        CHECK(service_name("./x && y") == "x");
        CHECK(service_name("/") == "/");
        CHECK(service_name("TOKEN=secret exec /opt/server/run -v") == "run");
        CHECK(service_name("TOKEN=secret") == "service");
    }

    TEST_CASE("at its end all is there and each line bears the name of two with one name the second a number") {
        Bench bench;
        ServiceOutput output({"/bin/one x", "two", "one y"}, When::at_its_end, bench.stderr_or_log, false);
        const Writer one(output, 100);
        const Writer two(output, 200);
        const Writer other(output, 300);
        one.write("first\nsec");
        other.write("hello\n");
        let_work(output);
        one.write("ond\n\nno end");
        CHECK(output.end(100) == "one | first\none | second\none | \none | no end\n");
        CHECK(output.end(200).empty());
        CHECK(output.end(300) == "one-2 | hello\n");
        CHECK(output.end(400).empty());
    }

    TEST_CASE("one that was not started leaves its place to the next") {
        Bench bench;
        ServiceOutput output({"one", "two"}, When::at_its_end, bench.stderr_or_log, false);
        output.not_started();
        const Writer two(output, 200);
        two.write("x\n");
        CHECK(output.end(200) == "two | x\n");
    }

    TEST_CASE("of much output the last part is kept and what is left out is said") {
        Bench bench;
        ServiceOutput output({"one"}, When::at_its_end, bench.stderr_or_log, false);
        const Writer one(output, 100);
        const std::string line = std::string(1023, 'x') + '\n';
        for (int i = 0; i < 1030; ++i) {
            one.write(line);
            let_work(output);
        }
        one.write("the last\n");
        const std::string text = output.end(100);
        CHECK(text.starts_with("one | (6153 bytes before this are left out)\n"));
        CHECK(text.ends_with("one | the last\n"));
    }

    TEST_CASE("the last lines are ten at most") {
        Bench bench;
        ServiceOutput output({"one"}, When::at_its_end, bench.stderr_or_log, false);
        const Writer one(output, 100);
        CHECK(output.last_lines(100).empty());
        one.write("a\nb");
        CHECK(output.last_lines(100) == "one | a\none | b\n");
        for (int i = 0; i < 20; ++i) {
            one.write("\n" + std::to_string(i));
        }
        const std::string last = output.last_lines(100);
        CHECK(last.starts_with("one | 10\n"));
        CHECK(last.ends_with("one | 19\n"));
    }

    TEST_CASE("a long line comes in pieces of one size and with nothing after the last one") {
        constexpr std::size_t piece = 3072;
        for (const std::size_t size : {piece - 1, piece, piece + 1, std::size_t(4000), 2 * piece, std::size_t(7000)}) {
            CAPTURE(size);
            Bench bench;
            test::Channel channel = test::pipe_channel();
            const os::Fd saved(::dup(STDERR_FILENO));
            ::dup2(channel.writer.get(), STDERR_FILENO);
            {
                ServiceOutput output({"one"}, When::as_it_comes, bench.stderr_or_log, false);
                const Writer one(output, 100);
                const std::string line(size, 'x');
                one.write(line.substr(0, 4000));
                let_work(output);
                one.write(line.substr(std::min<std::size_t>(4000, size)));
                let_work(output);
                one.write("\n");
                let_work(output);
                one.write("\nnext\n");
                let_work(output);
            }
            ::dup2(saved.get(), STDERR_FILENO);
            std::string expected;
            for (std::size_t at = 0; at < size; at += piece) {
                expected += "one | " + std::string(std::min(piece, size - at), 'x') + '\n';
            }
            CHECK(channel.all() == expected + "one | \none | next\n");
        }
    }

    TEST_CASE("whoever was forked before the start reads on where the other one stopped") {
        Bench bench;
        ServiceOutput output({"one"}, When::at_its_end, bench.stderr_or_log, false);
        test::Gate go;
        test::Gate said;
        test::Forked successor([&] {
            test::expect(go.pass(), "the gate opens");
            said.open(output.end(100));
        });
        const Writer one(output, 100);
        one.write("read by the first\n");
        let_work(output);
        one.write("read by the second\n");
        go.open();
        CHECK(successor.succeeded());
        CHECK(said.rest() == "one | read by the first\none | read by the second\n");
    }
}

} // namespace finally_run::report
