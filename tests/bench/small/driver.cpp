// Starts the programs that it is asked for, one after another, and answers what each has cost.
//
// A process of its own, and small: a child of vfork(2) begins with the peak memory of its parent.
#include "small/data.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finally_run::bench {

namespace {

constexpr int requests = 100;
constexpr int answers = 101;

bool read_whole(void* to, std::size_t size) {
    auto* next = static_cast<char*>(to);
    while (size > 0) {
        const ssize_t got = ::read(requests, next, size);
        if (got <= 0) {
            return false;
        }
        next += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

std::int64_t microseconds(const timeval& time) { return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

Sample measure(char** words, char** environment) {
    Sample sample;
    rusage usage = {};
    const std::int64_t start = now();
    const pid_t child = ::vfork();
    if (child == 0) {
        ::execve(words[0], words, environment);
        ::_exit(127);
    }
    if (child < 0 || ::wait4(child, &sample.status, 0, &usage) != child) {
        ::_exit(EXIT_FAILURE);
    }
    sample.nanoseconds = now() - start;
    sample.cpu_microseconds = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    sample.peak_kib = usage.ru_maxrss;
    sample.faults = usage.ru_minflt + usage.ru_majflt;
    return sample;
}

char** strings(char*& bytes, std::uint32_t count) {
    auto** const list = static_cast<char**>(std::malloc((count + 1) * sizeof(char*)));
    if (list == nullptr) {
        ::_exit(EXIT_FAILURE);
    }
    for (std::uint32_t i = 0; i < count; ++i) {
        list[i] = bytes;
        while (*bytes++ != '\0') {
        }
    }
    list[count] = nullptr;
    return list;
}

int serve() {
    // What is started has the standard descriptors and no other.
    if (::fcntl(0, F_DUPFD_CLOEXEC, requests) != requests || ::fcntl(1, F_DUPFD_CLOEXEC, answers) != answers) {
        return EXIT_FAILURE;
    }
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    Request request = {};
    while (read_whole(&request, sizeof request)) {
        auto* const bytes = static_cast<char*>(std::malloc(request.bytes));
        if (bytes == nullptr || !read_whole(bytes, request.bytes)) {
            return EXIT_FAILURE;
        }
        char* rest = bytes;
        char** const words = strings(rest, request.words);
        char** const environment = strings(rest, request.variables);
        const Sample sample = measure(words, environment);
        if (::write(answers, &sample, sizeof sample) != sizeof sample) {
            return EXIT_FAILURE;
        }
        std::free(environment);
        std::free(words);
        std::free(bytes);
    }
    return EXIT_SUCCESS;
}

} // namespace

} // namespace finally_run::bench

int main() { return finally_run::bench::serve(); }
