#include "os/title.hpp"

#include "../main_args.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <unistd.h>

using namespace finally_run;

namespace {

using namespace std::string_literals;

// Words as the kernel lays them out, with something behind them that is not theirs.
struct KernelWords {
    std::string memory;
    char* argv[3]{};
    char* envp[3]{};

    // Three-letter words: two of the command line, two of the environment.
    KernelWords() : memory("one\0two\0A=1\0B=2\0behind"s) {
        argv[0] = memory.data();
        argv[1] = memory.data() + 4;
        envp[0] = memory.data() + 8;
        envp[1] = memory.data() + 12;
    }
    // The name of this process is put back.
    void retitle(const std::string& title) {
        char name[16] = {};
        ::prctl(PR_GET_NAME, name, 0, 0, 0);
        os::set_process_title(name, title, {argv, envp});
    }
};

void leave_environment() {
    static char* none[] = {nullptr};
    environ = none;
}

} // namespace

TEST_CASE("a process shows its new name and title, and nothing of its command line and environment") {
    test::Forked child([] {
        leave_environment();
        os::set_process_title("finally-guard", "T", test::main_args);
        test::expect(test::read_file("/proc/self/comm") == "finally-guard\n", "comm");
        const std::string words = test::read_file("/proc/self/cmdline");
        test::expect(words.starts_with("T"), "title");
        test::expect(words.find_first_not_of('\0', 1) == std::string::npos, "command line");
        const std::string environment = test::read_file("/proc/self/environ");
        test::expect(environment.find_first_not_of('\0') == std::string::npos, "environment");
    });
    REQUIRE(test::read_file("/proc/self/environ").find('=') != std::string::npos);
    CHECK(child.succeeded());
    CHECK(test::read_file("/proc/self/environ").find('=') != std::string::npos); // of that process alone
}

TEST_CASE("a title that is longer than the command line was is shown whole") {
    const std::string title = test::read_file("/proc/self/cmdline") + " and more";
    const std::string plain(title.size(), 't');
    REQUIRE(test::read_file("/proc/self/environ").size() > std::string_view(" and more").size());
    test::Forked child([&] {
        leave_environment();
        os::set_process_title("x", plain, test::main_args);
        const std::string words = test::read_file("/proc/self/cmdline");
        test::expect(words.substr(0, words.find('\0')) == plain, "title");
    });
    CHECK(child.succeeded());
}

TEST_CASE("a name is cut to what the kernel shows of it") {
    test::Forked child([] {
        leave_environment();
        os::set_process_title("0123456789abcdefgh", "T", test::main_args);
        test::expect(test::read_file("/proc/self/comm") == "0123456789abcde\n", "comm");
    });
    CHECK(child.succeeded());
}

TEST_CASE("a title takes the place of the words, and of no byte behind them") {
    KernelWords words;
    words.retitle("new");
    CHECK(words.memory == "new"s + std::string(13, '\0') + "behind");
    KernelWords cut;
    cut.retitle("a title that is far too long");
    CHECK(cut.memory == "a title that is"s + '\0' + "behind");
}

TEST_CASE("a later title has all the room that the first one had") {
    KernelWords words;
    const auto place = os::title_place({words.argv, words.envp});
    words.retitle("new");
    os::set_title("a title that is far too long", place);
    CHECK(words.memory == "a title that is"s + '\0' + "behind");
    os::set_title("x", place);
    CHECK(words.memory == "x"s + std::string(15, '\0') + "behind");
    os::set_title("y", os::TitlePlace());
}

TEST_CASE("words that were put elsewhere are left alone, and those behind them too") {
    std::string elsewhere = "A=2";
    KernelWords words;
    words.envp[0] = elsewhere.data();
    words.retitle("a title that is far too long");
    CHECK(elsewhere == "A=2");
    CHECK(words.memory == "a title\0A=1\0B=2\0behind"s);
}

TEST_CASE("a process that was started without any word keeps its memory") {
    char* none[] = {nullptr};
    CHECK_NOTHROW(os::set_process_title("unit_tests", "title", {none, nullptr}));
}
