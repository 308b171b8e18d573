#include "lock/lock_id.hpp"

#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <sys/file.h>

using namespace finally_run;

namespace {

lock::LockFile open_at(const std::string& path) { return lock::open_lock_file({path, false}, {}); }

} // namespace

TEST_CASE("a lock is the same at its path, made anew or not, and by another path to the same file") {
    const test::TempDir dir;
    const lock::LockFile file = open_at(dir / "lock");
    const journal::LockId id = lock::id_of(file);
    CHECK(lock::is_lock(id, file));
    std::filesystem::create_symlink("lock", dir / "link");
    CHECK(lock::is_lock(id, open_at(dir / "link")));
    std::filesystem::rename(dir / "lock", dir / "old");
    const lock::LockFile anew = open_at(dir / "lock");
    CHECK(lock::is_lock(id, anew));
    CHECK_FALSE(lock::is_file(id, anew.device, anew.inode));
}

TEST_CASE("a file that was given the number of a lock file is not that lock") {
    const test::TempDir dir;
    const lock::LockFile file = open_at(dir / "other");
    journal::LockId id = lock::id_of(file); // as if its file had had this number
    id.path = dir / "lock";
    CHECK_FALSE(lock::is_lock(id, file));
    const lock::LockFile real = open_at(dir / "lock");
    CHECK_FALSE(lock::is_lock(id, file));
    CHECK(lock::is_lock(id, real));
}

TEST_CASE("a lock that somebody holds is not taken, and a free one is") {
    const test::TempDir dir;
    const lock::LockFile holder = open_at(dir / "lock");
    REQUIRE(::flock(holder.fd.get(), LOCK_EX) == 0);
    const journal::LockId id = lock::id_of(holder);
    CHECK_FALSE(lock::take_if_free(id).has_value());
    REQUIRE(::flock(holder.fd.get(), LOCK_UN) == 0);
    CHECK(lock::take_if_free(id).has_value());
}
