// A journal on disk: who may read it, how it grows, and how it ends.
#pragma once

#include "journal/paths.hpp"
#include "journal/record.hpp"
#include "journal/runs.hpp"
#include "os/fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::journal {

// The run is alive for as long as an open file that belongs to it holds the flock(2) lock on its journal. The lock is
// shared with whoever is forked, and gone when the last of them is gone, however that went.
class File {
public:
    // A new journal, locked, with its first record. It has no name before publish(), so that nothing is left of a run
    // that is killed before anybody is there to finish it. Throws std::system_error.
    [[nodiscard]] static File create(const Runs& runs, const Opened& opened, bool durable);
    // Sees to it that `room` bytes more can be written, also if the disk fills up meanwhile; a file system that cannot
    // promise that (fallocate(2)) does not. Right after create(). Throws std::system_error, and the file is gone then.
    void reserve(std::uint64_t room) const;
    // Gives it its name. Throws std::system_error.
    void publish();

    // One that is there, by its path, wherever it is by now; neither locked nor read yet. Throws std::system_error if
    // it cannot be opened (ENOENT: there is no such run any more), or if it is no regular file of ours with mode 0600.
    [[nodiscard]] static File open(const std::filesystem::path& path);
    // The same for who only looks, for a moment: also where nothing can be written. Its descriptor may be a low one.
    [[nodiscard]] static File open_to_read(const std::filesystem::path& path);

    // The same around a file that is open already, whatever it is; `path` is for messages.
    [[nodiscard]] static File around(os::Fd fd, std::filesystem::path path) { return {std::move(fd), std::move(path)}; }

    // Appends one record with one write(2), and returns where it is if nobody shares the open file. Throws
    // std::system_error and std::bad_alloc: then it does not count, now or later.
    std::uint64_t append(const Record& record);
    // Where the record ends that was appended last, if nobody shares the open file.
    [[nodiscard]] std::uint64_t end_of_append() const noexcept;

    // What has been appended since the last call, by whomever. Throws std::system_error, std::bad_alloc, and Damaged.
    [[nodiscard]] std::vector<Entry> read();
    // The first record alone, of a journal of which nothing has been read yet; nullopt if it is empty. Throws as
    // read().
    [[nodiscard]] std::optional<Opened> read_opened();

    // The same for those who have had the file since it was made, and so with memory for one record at a time. What is
    // damaged is passed over: a record whose checksum is right is one. A record of which `take` throws, or that there
    // is no memory for, comes again next time; so do all that are left of a file that has been cut. Throws
    // std::system_error and std::bad_alloc.
    void salvage(const std::function<void(Entry)>& take);
    // How the journal is known to have lost something, in words for a message; empty: it has not.
    [[nodiscard]] const std::string& damage() const { return m_damage; }
    // Whether something stands behind the last record that has been read: one that was cut off. Throws
    // std::system_error.
    [[nodiscard]] bool has_rest() const { return size() > m_read_up_to; }

    // For the child of a spawn: appends Started about itself. Async-signal-safe. Returns 0 or an errno.
    [[nodiscard]] int append_started(Started::What what, std::uint64_t cleanup) const noexcept;

    // Takes the lock without waiting; whether it could. Who has it finishes the run, or is it.
    [[nodiscard]] bool try_lock() const;
    // The same together with others who only look, so that is_locked_by_other() says no of them.
    [[nodiscard]] bool try_to_share_lock() const;
    // Whether somebody holds the lock, so that the run will be finished by that.
    [[nodiscard]] bool is_locked_by_other() const;

    // A sealed journal may be about to end: whoever registers a cleanup looks whether it is, afterwards. Its mark
    // is the mode of the file; where that cannot be changed (FUSE, a seccomp filter), an fcntl(2) lock on its first
    // byte.
    void seal() const noexcept;
    void unseal() const noexcept;
    // For whoever has appended: whether the order of the records must be looked at.
    [[nodiscard]] bool is_sealed_or_removed() const noexcept;
    // It is over and stays, for what has failed: whoever tries that again must be able to write to it.
    void put_by() noexcept;
    // For those who go on with one that was put by: somebody may have appended to it behind its end, and look for the
    // seal only now. So that one stays, as long as this file is open.
    void take_up() noexcept;
    void leave() noexcept; // takes that back
    // Whether it is still to be found by its path.
    [[nodiscard]] bool is_there() const;

    // Cuts off what follows the last whole record that has been read: after a power loss that may be NUL bytes, and a
    // record behind them would look like damage. Only if nobody else can be writing.
    void drop_tail() const noexcept;

    // Takes its name away: the run is over. False with errno if that cannot be done.
    bool remove() const noexcept;

    [[nodiscard]] int fd() const { return m_fd.get(); }
    [[nodiscard]] const std::filesystem::path& path() const { return m_path; }
    [[nodiscard]] std::filesystem::path state_dir() const { return state_dir_of(m_path); }

private:
    File(os::Fd fd, std::filesystem::path path) : m_fd(std::move(fd)), m_path(std::move(path)) {}
    // What can be opened, as far as it is to be believed.
    [[nodiscard]] static File believed(os::Fd fd, const std::filesystem::path& path);
    [[nodiscard]] bool try_lock(int operation) const;
    void sync() const;
    [[nodiscard]] std::uint64_t size() const;
    class Window;
    // One pass over what is new, until `take` returns false.
    enum class OnDamage { stop, pass_over };
    using Take = std::function<bool(Entry)>;
    void read(const Take& take, OnDamage on_damage);

    os::Fd m_fd;
    std::filesystem::path m_path;
    std::uint64_t m_read_up_to = 0; // everything before it has been handed out, or passed over
    std::string m_damage;
    bool m_durable = false;
    bool m_stays_sealed = false;         // by its first byte
    std::filesystem::path m_unpublished; // the name that it has until then, where a file must have one
    bool m_in_memory = false;            // it never has one
};

// The journal is damaged or of a newer format: what() says how, in words for a message. Nothing of it is to be
// executed.
class Damaged : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace finally_run::journal
