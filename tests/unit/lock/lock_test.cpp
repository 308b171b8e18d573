#include "lock/lock.hpp"

#include "../os/child.hpp"
#include "support/temp_dir.hpp"

#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

using Acquired = std::variant<lock::Held, lock::NotHad, os::Interrupted>;

constexpr text::Limit no_wait = text::Duration::zero();

Acquired acquire(const std::vector<plan::LockRequest>& requests, const std::string& state_dir, text::Limit wait,
                 const lock::WhileWaiting& while_waiting = {}) {
    os::Events events(test::signals(), {});
    return lock::acquire(requests, state_dir, wait, events, while_waiting);
}

// As flock(1) would.
class Flock {
public:
    explicit Flock(const std::string& path, int operation = LOCK_EX)
        : m_fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
          m_locked(::flock(m_fd.get(), operation | LOCK_NB) == 0) {}
    [[nodiscard]] bool locked() const { return m_locked; }

private:
    os::Fd m_fd;
    bool m_locked;
};

} // namespace

TEST_CASE(
    "a name is a file in the state directory, a path is itself, and both exclude flock(2) until they are released") {
    const test::TempDir dir;
    {
        const Acquired result = acquire({{"deploy"}, {dir / "path"}}, dir / "state", no_wait);
        REQUIRE(std::holds_alternative<lock::Held>(result));
        CHECK_FALSE(Flock(dir / "state/deploy").locked());
        CHECK_FALSE(Flock(dir / "path").locked());
    }
    CHECK(Flock(dir / "state/deploy").locked());
    CHECK(Flock(dir / "path").locked());
}

TEST_CASE("locks are released at once, though another descriptor still has the open file") {
    const test::TempDir dir;
    const Acquired result = acquire({{"deploy"}}, dir / "state", no_wait);
    const auto& held = std::get<lock::Held>(result);
    const os::Fd shared(::dup(held.front().fd.get()));
    lock::release(held);
    CHECK(Flock(dir / "state/deploy").locked());
}

TEST_CASE("a lock that is held is not had without waiting, and the others are let go") {
    const test::TempDir dir;
    const Flock other(dir / "b");
    REQUIRE(other.locked());
    const Acquired result = acquire({{dir / "a"}, {dir / "b"}}, "", no_wait);
    REQUIRE(std::holds_alternative<lock::NotHad>(result));
    CHECK(std::get<lock::NotHad>(result).name == dir / "b");
    CHECK(std::get<lock::NotHad>(result).why == lock::NotHad::Why::busy);
    CHECK(Flock(dir / "a").locked());
}

TEST_CASE("shared locks go together and exclude an exclusive one") {
    const test::TempDir dir;
    const Flock other(dir / "l", LOCK_SH);
    REQUIRE(other.locked());
    CHECK(std::holds_alternative<lock::Held>(acquire({{dir / "l", true}}, "", no_wait)));
    CHECK(std::holds_alternative<lock::NotHad>(acquire({{dir / "l", false}}, "", no_wait)));
}

TEST_CASE("two names of one file are one lock, exclusive if either is") {
    const test::TempDir dir;
    test::write_file(dir / "l", "");
    std::filesystem::create_symlink(dir / "l", dir / "link");
    const Acquired result = acquire({{dir / "l", true}, {dir / "link", false}}, "", 1s);
    REQUIRE(std::holds_alternative<lock::Held>(result));
    CHECK(std::get<lock::Held>(result).size() == 1);
    CHECK_FALSE(Flock(dir / "l", LOCK_SH).locked());
}

TEST_CASE("the order of the locks is that of their inodes, whatever the order of the words") {
    const test::TempDir dir;
    for (const auto& requests : {std::vector<plan::LockRequest>{{dir / "a"}, {dir / "b"}, {dir / "c"}},
                                 std::vector<plan::LockRequest>{{dir / "c"}, {dir / "a"}, {dir / "b"}}}) {
        const Acquired result = acquire(requests, "", no_wait);
        REQUIRE(std::holds_alternative<lock::Held>(result));
        const auto& held = std::get<lock::Held>(result);
        REQUIRE(held.size() == 3);
        CHECK(held[0].inode < held[1].inode);
        CHECK(held[1].inode < held[2].inode);
    }
}

TEST_CASE("a wait ends when its time is over, and a signal ends it at once") {
    const test::TempDir dir;
    const Flock other(dir / "l");
    REQUIRE(other.locked());
    CHECK(std::holds_alternative<lock::NotHad>(acquire({{dir / "l"}}, "", 1ms)));
    ::kill(::getpid(), SIGWINCH); // does not end a program
    ::kill(::getpid(), SIGHUP);
    const Acquired result = acquire({{dir / "l"}}, "", std::nullopt);
    REQUIRE(std::holds_alternative<os::Interrupted>(result));
    CHECK(std::get<os::Interrupted>(result).signal == SIGHUP);
}

TEST_CASE("a lock file that is replaced while we wait is not the lock: the file at its path is") {
    const test::TempDir dir;
    auto first = std::make_unique<Flock>(dir / "l");
    REQUIRE(first->locked());
    std::unique_ptr<Flock> second;
    const auto while_waiting = [&](const std::string& name, const std::optional<lock::Holder>& holder, text::Duration) {
        CHECK(name == dir / "l");
        CHECK(holder.has_value());
        if (first) {
            std::filesystem::remove(dir / "l");
            second = std::make_unique<Flock>(dir / "l");
            first.reset(); // we get this one, and it is worth nothing
        } else {
            second.reset();
        }
        return text::Limit(1s);
    };
    const Acquired result = acquire({{dir / "l"}}, "", 30s, while_waiting);
    REQUIRE(std::holds_alternative<lock::Held>(result));
    CHECK_FALSE(second);
    CHECK_FALSE(Flock(dir / "l").locked());
}

TEST_CASE("a lock file is neither written nor truncated, and may be a directory or read-only") {
    const test::TempDir dir;
    test::write_file(dir / "l", "text");
    ::chmod((dir / "l").c_str(), 0400);
    CHECK(std::holds_alternative<lock::Held>(acquire({{dir / "l"}, {dir.path().string()}}, "", no_wait)));
    CHECK(test::read_file(dir / "l") == "text");
}

TEST_CASE("a lock that cannot be opened is an error that names it") {
    const test::TempDir dir;
    CHECK_THROWS_WITH_AS(static_cast<void>(acquire({{dir / "none/l"}}, "", no_wait)),
                         doctest::Contains((dir / "none/l").c_str()), std::system_error);
}
