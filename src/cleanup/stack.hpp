// The registry of a run's cleanups: last in, first out. It lives in the journal.
#pragma once

#include "cleanup/outcome.hpp"
#include "journal/file.hpp"
#include "journal/state.hpp"

#include <cstdint>
#include <functional>
#include <string_view>
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
    void push(Cleanup cleanup);
    [[nodiscard]] std::optional<Cleanup> top();
    // What the process that runs it does first: see os::SpawnRequest::in_child.
    [[nodiscard]] std::function<int()> in_child(const Cleanup& cleanup);
    void finished(const Cleanup& cleanup, const Outcome& outcome);

    // Takes back the last one with this text: what it covers has not come to be.
    void withdraw(const std::string& text);

    // For the child that becomes a setup or the command. The first of them must be recorded, or it is not started:
    // nobody would know that something has begun.
    [[nodiscard]] std::function<int()> in_child(journal::Started::What what);
    // After a spawn: says so if the child could not record itself.
    void check_child();

    // Records it, or says that it could not be recorded.
    void record(const journal::Record& record);

    // Ends the run in the journal and takes the journal away, unless there is something on the stack again: then false.
    // `drop`: what is on it shall never run.
    [[nodiscard]] bool close(bool drop = false);

    // All that is in the journal by now.
    [[nodiscard]] const journal::State& state();
    [[nodiscard]] journal::File& file() { return m_file; }

private:
    void refresh();
    void note(journal::Record record);

    journal::File m_file;
    journal::State m_state;
    Trouble m_trouble;
    std::vector<journal::Record> m_unread;                 // recorded by us, and not read back yet
    std::uint64_t m_next_own_id = std::uint64_t(1) << 63U; // of what is in no file: no offset is that large
    bool m_blind = false;                                  // the file cannot be read: what others register is not seen
    int m_child_error = 0;                                 // written by a child, in our memory
};

} // namespace finally_run::cleanup
