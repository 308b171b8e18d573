// action/defer beside Stack::close: who comes at the last moment is told the truth.
#include "action/defer.hpp"

#include "../sample_stack.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <memory>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace finally_run;

namespace {

constexpr int deferrers = 4;
constexpr int most_deferrals = 3; // of each in a round
constexpr int rounds = 300;

// In memory that all of the processes share.
struct Shared {
    std::atomic<int> round{0}; // it begins when this grows; -1: there are no more
    std::atomic<int> done{0};  // who is through with it
    std::array<char, 4096> journal{};
    std::array<std::atomic<int>, deferrers> acknowledged{}; // the first so many of each
    std::array<std::atomic<bool>, deferrers> refused{};
};

class SharedMemory {
public:
    SharedMemory()
        : m_memory(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (m_memory == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "mmap");
        }
        m_shared = std::construct_at(static_cast<Shared*>(m_memory));
    }
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;
    ~SharedMemory() { ::munmap(m_memory, sizeof(Shared)); }
    Shared* operator->() const { return m_shared; }

private:
    void* m_memory;
    Shared* m_shared;
};

// A number of turns that is another in each round: so that all of the orders come up.
void dawdle(unsigned& seed) {
    for (int turns = ::rand_r(&seed) % 40; turns > 0; --turns) {
        ::sched_yield();
    }
}

// The text of a deferral; all the same if they are not to be told apart.
std::string text_of(int deferrer, int number, bool distinct) {
    return distinct ? std::to_string(deferrer) + "/" + std::to_string(number) : "same";
}

void defer_in_each_round(const SharedMemory& shared, int deferrer, bool distinct) {
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    const auto self = static_cast<std::size_t>(deferrer);
    unsigned seed = static_cast<unsigned>(deferrer) + 1;
    for (int round = 1;; ++round) {
        while (shared->round != round) {
            if (shared->round == -1) {
                return;
            }
            ::sched_yield();
        }
        ::setenv("FINALLY_RUN_JOURNAL", shared->journal.data(), 1);
        dawdle(seed);
        const int count = 1 + ::rand_r(&seed) % most_deferrals;
        for (int number = 0; number < count && !shared->refused[self]; ++number) {
            if (action::defer({text_of(deferrer, number, distinct)}).code == 0) {
                ++shared->acknowledged[self];
            } else {
                shared->refused[self] = true;
            }
        }
        ++shared->done;
    }
}

// Runs what is on the stack until it is closed; returns what it was.
std::vector<std::string> run_to_the_end(cleanup::Stack& stack) {
    std::vector<std::string> ran;
    do {
        while (const auto top = stack.top()) {
            ran.push_back(top->text);
            stack.finished(*top, {});
        }
    } while (!stack.close());
    std::ranges::sort(ran);
    return ran;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) {
        all += text + " ";
    }
    return all;
}

void race(bool distinct) {
    const SharedMemory shared;
    std::deque<test::Forked> processes;
    for (int deferrer = 0; deferrer < deferrers; ++deferrer) {
        processes.emplace_back([&, deferrer] { defer_in_each_round(shared, deferrer, distinct); });
    }
    unsigned seed = 12345;
    int acknowledged_in_all = 0;
    int refused_in_all = 0;
    for (int round = 1; round <= rounds; ++round) {
        CAPTURE(round);
        const test::TempDir dir;
        auto stack = test::sample_stack(dir.path());
        const std::string path = stack.file().path();
        REQUIRE(path.size() < shared->journal.size());
        std::memcpy(shared->journal.data(), path.c_str(), path.size() + 1);
        for (std::size_t deferrer = 0; deferrer < deferrers; ++deferrer) {
            shared->acknowledged[deferrer] = 0;
            shared->refused[deferrer] = false;
        }
        shared->done = 0;
        shared->round = round;
        dawdle(seed);
        const std::vector<std::string> ran = run_to_the_end(stack);
        REQUIRE(test::comes_true([&] { return shared->done == deferrers; }));
        std::vector<std::string> promised;
        for (int deferrer = 0; deferrer < deferrers; ++deferrer) {
            const int acknowledged = shared->acknowledged[static_cast<std::size_t>(deferrer)];
            for (int number = 0; number < acknowledged; ++number) {
                promised.push_back(text_of(deferrer, number, distinct));
            }
            acknowledged_in_all += acknowledged;
            refused_in_all += shared->refused[static_cast<std::size_t>(deferrer)] ? 1 : 0;
        }
        std::ranges::sort(promised);
        REQUIRE(joined(ran) == joined(promised));
    }
    shared->round = -1;
    for (test::Forked& process : processes) {
        CHECK(process.succeeded());
    }
    // Else there was no race.
    CHECK(acknowledged_in_all > 0);
    CHECK(refused_in_all > 0);
}

} // namespace

TEST_CASE("while a run ends, a deferral that is acknowledged runs, and one that is refused does not") { race(true); }

TEST_CASE("while a run ends, as many equal deferrals run as are acknowledged") { race(false); }

TEST_CASE("while the run of an ordinary user ends, a deferral that is acknowledged runs, and no other does") {
    // The state directories belong to whoever makes them, below a directory that everybody may write to.
    const test::TempDir dir;
    const test::Unprivileged user(dir.path());
    race(true);
}
