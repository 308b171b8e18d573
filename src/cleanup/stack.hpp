// The registry of a run's cleanups: last in, first out. It lives in the journal.
#pragma once

#include "cleanup/outcome.hpp"
#include "journal/file.hpp"
#include "journal/state.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace finally_run::cleanup {

// A cleanup is on it from push() to finished(); whoever runs them asks top() again each time, since more may have come.
class Stack {
public:
    // Told of what could not be recorded or read: the run goes on without it.
    using Trouble = std::function<void(std::string_view what, std::string_view reason)>;

    // `state` is what has been read from `file` so far.
    Stack(journal::File file, journal::State state, Trouble trouble);

    // Registers a cleanup before what it covers begins; throws std::system_error if that cannot be done. Once a step
    // has begun, one that cannot be recorded is registered all the same, with this process alone.
    // Returns its id.
    std::uint64_t push(Cleanup cleanup);
    [[nodiscard]] std::optional<Cleanup> top();
    // What the process that runs it does first: see os::SpawnRequest::in_child.
    [[nodiscard]] std::function<int()> in_child(const Cleanup& cleanup);
    void finished(const Cleanup& cleanup, const Outcome& outcome);

    // Takes back the one with this id: what it covers has not come to be.
    void withdraw(std::uint64_t id);

    // For the child that becomes a setup, a service (`stop`: the id of its stop) or the command. The first of them must
    // be recorded, or it is not started: nobody would know that something has begun.
    [[nodiscard]] std::function<int()> in_child(journal::Started::What what, std::uint64_t stop = 0);
    // After a spawn: says so if the child could not record itself.
    void check_child();
    // The service whose stop has this id, as far as it has been started.
    [[nodiscard]] std::optional<journal::Started> service(std::uint64_t stop);

    // Records it, or says that it could not be recorded.
    void record(const journal::Record& record);

    // Called when a cleanup has been registered with this process alone: whoever was forked before does not know it.
    void on_unrecorded(std::function<void()> tell) { m_on_unrecorded = std::move(tell); }

    // Called once the run is over and nothing of it has failed, right before its journal goes: whoever is to know it
    // must not need the journal.
    void on_clean(std::function<void()> tell) { m_on_clean = std::move(tell); }

    // Ends the run in the journal and takes the journal away, unless there is something on the stack again: then false.
    // `drop`: what is on it shall never run. A journal with failed cleanups stays, and one that could not be read to
    // its end, whatever is asked for; what is to be remembered is written down.
    [[nodiscard]] bool close(bool drop = false);

    // Reads what is in the journal by now; what cannot be read is told, and what we know stays.
    [[nodiscard]] const journal::State& read_state();
    // Whether the journal could be read to its end so far, and was sound. If not, somebody else's cleanups may be
    // missing on the stack: whoever runs it keeps the journal.
    [[nodiscard]] bool is_complete() const { return !m_unreadable && m_file.damage().empty(); }
    // See journal::State, as of the last look.
    [[nodiscard]] unsigned times_begun(const Cleanup& cleanup) const { return m_state.times_begun(cleanup.id); }
    [[nodiscard]] bool is_stop_asked(const Cleanup& cleanup) const { return m_state.stop_asked == cleanup.id; }
    // Whether it is over and how it ended was written down.
    [[nodiscard]] bool is_remembered() const { return m_remembered; }
    [[nodiscard]] journal::File& file() { return m_file; }

private:
    struct Seen {
        std::uint64_t offset;
        std::size_t hash; // of its text: of a journal that was cut the offsets are given out again

        bool operator==(const Seen&) const = default;
    };

    [[nodiscard]] std::uint64_t append(const journal::Record& record);
    void refresh();
    void take(journal::Entry entry);
    void apply(journal::Entry entry);
    void note_unread();
    [[nodiscard]] std::uint64_t note(journal::Record record);
    void tell(std::string_view what, const std::exception& error) const;
    void tell(std::string_view what, std::string_view reason) const;

    journal::File m_file;
    journal::State m_state;
    Trouble m_trouble;
    std::function<void()> m_on_unrecorded;
    std::function<void()> m_on_clean;
    std::list<journal::Entry> m_unread;                    // appended by us, and not read back yet
    std::vector<Seen> m_seen;                              // cleanups that are or were on the stack
    bool m_taken_unread = false;                           // it has been taken from memory and may be read yet
    std::size_t m_untested = 0;                            // bytes taken since there was room in memory
    std::uint64_t m_next_own_id = std::uint64_t(1) << 63U; // of what is in no file: no offset is that large
    bool m_remembered = false;
    bool m_unreadable = false; // the last look did not reach the end
    int m_child_error = 0;     // written by a child, in our memory
};

} // namespace finally_run::cleanup
