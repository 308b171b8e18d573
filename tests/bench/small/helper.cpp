// The commands that the benchmarks wrap: hold [FILE NUMBER], defer FINALLY_RUN CMD TIMES, pour BYTES.
#include "small/data.hpp"

#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace finally_run::bench {

namespace {

bool write_whole(int fd, std::string_view text) {
    return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Says how a process joins the run and waits for the end of stdin; then, with FILE and NUMBER, leaves its stamp there.
int hold(int count, char** arguments) {
    Stamp stamp{0, now(), 0};
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        if (text.starts_with("FINALLY_RUN_ID=") || text.starts_with("FINALLY_RUN_JOURNAL=")) {
            write_whole(STDOUT_FILENO, text);
            write_whole(STDOUT_FILENO, "\n");
        }
    }
    write_whole(STDOUT_FILENO, "\n");
    for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) > 0;) {
    }
    if (count < 2) {
        return EXIT_SUCCESS;
    }
    const int fd = ::open(arguments[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    stamp.number = std::atoi(arguments[1]);
    stamp.end = now();
    return write_whole(fd, {reinterpret_cast<const char*>(&stamp), sizeof stamp}) ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool succeeds(char* const* words) {
    int status = 0;
    const pid_t child = ::vfork();
    if (child == 0) {
        ::execve(words[0], words, environ);
        ::_exit(127);
    }
    return ::waitpid(child, &status, 0) == child && status == 0;
}

int defer(char* finally_run, char* cmd, int times) {
    std::array<char, 8> option{"--defer"};
    const std::array<char*, 4> words{finally_run, option.data(), cmd, nullptr};
    while (times > 0 && succeeds(words.data())) {
        --times;
    }
    return times > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int pour(long long bytes) {
    static std::array<char, 65536> block;
    while (bytes > 0) {
        const ssize_t written = ::write(STDOUT_FILENO, block.data(), block.size());
        if (written < 0) {
            return EXIT_FAILURE;
        }
        bytes -= written;
    }
    return EXIT_SUCCESS;
}

int run(int count, char** words) {
    const std::string_view what = count > 1 ? words[1] : "";
    if (what == "hold") {
        return hold(count - 2, words + 2);
    }
    if (what == "defer" && count == 5) {
        return defer(words[2], words[3], std::atoi(words[4]));
    }
    return what == "pour" && count == 3 ? pour(std::atoll(words[2])) : 2;
}

} // namespace

} // namespace finally_run::bench

int main(int argc, char** argv) { return finally_run::bench::run(argc, argv); }
