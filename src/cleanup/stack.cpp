#include "cleanup/stack.hpp"

#include "journal/ended.hpp"
#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <new>
#include <system_error>
#include <utility>

namespace finally_run::cleanup {

Stack::Stack(journal::File file, journal::State state, Trouble trouble)
    : m_file(std::move(file)), m_state(std::move(state)), m_trouble(std::move(trouble)) {}

void Stack::tell(std::string_view what, std::string_view reason) const {
    try {
        m_trouble(what, reason);
    } catch (const std::bad_alloc&) { // it would be a pity not to clean up for want of words
    }
}

void Stack::tell(std::string_view what, const std::exception& error) const {
    const auto* const system = dynamic_cast<const std::system_error*>(&error);
    tell(what, system != nullptr ? os::error_text(system->code().value()) : os::text_of(error));
}

// Into the memory of this process alone.
std::uint64_t Stack::note(journal::Record record) {
    m_state.apply({m_next_own_id, std::move(record)});
    return m_next_own_id++;
}

// Either all of it or nothing.
std::uint64_t Stack::append(const journal::Record& record) {
    m_unread.push_back({0, record});
    try {
        m_unread.back().offset = m_file.append(record);
    } catch (...) {
        m_unread.pop_back();
        throw;
    }
    return m_unread.back().offset;
}

void Stack::record(const journal::Record& record) {
    try {
        static_cast<void>(append(record));
    } catch (const std::exception& error) {
        tell("cannot be recorded", error);
        refresh(); // what was recorded before comes first
        static_cast<void>(note(record));
    }
}

void Stack::apply(journal::Entry entry) {
    const auto* const registered = std::get_if<journal::Registered>(&entry.record);
    if (registered == nullptr) {
        m_state.apply(std::move(entry));
        return;
    }
    const Seen seen{entry.offset, std::hash<std::string>()(registered->cleanup.text)};
    const bool may_come_again = m_taken_unread || !m_file.damage().empty();
    if (may_come_again && std::ranges::find(m_seen, seen) != m_seen.end()) {
        return;
    }
    m_seen.push_back(seen);
    try {
        m_state.apply(std::move(entry));
    } catch (...) {
        m_seen.pop_back();
        throw;
    }
}

void Stack::take(journal::Entry entry) {
    // What fills all the memory could not be run any more. A call to new, not an expression, is never optimized away.
    constexpr std::size_t room = 1 << 20;
    constexpr std::size_t often = room / 16;
    if (const auto* const registered = std::get_if<journal::Registered>(&entry.record)) {
        m_untested += registered->cleanup.text.size();
    }
    if (m_untested > often) {
        ::operator delete(::operator new(room));
        m_untested = 0;
    }
    const std::uint64_t offset = entry.offset;
    apply(std::move(entry));
    if (!m_unread.empty() && m_unread.front().offset == offset) { // they come back in their order
        m_unread.pop_front();
    } else {
        std::erase_if(m_unread, [&](const journal::Entry& ours) { return ours.offset == offset; });
    }
}

void Stack::note_unread() {
    m_taken_unread = m_taken_unread || !m_unread.empty();
    for (journal::Entry& entry : std::exchange(m_unread, {})) {
        apply(std::move(entry));
    }
}

void Stack::refresh() {
    constexpr int attempts = 3; // nothing but a broken disk fails twice
    constexpr std::string_view trouble = "cannot be read to its end, cleanups may be missing";
    m_unreadable = true;
    for (int attempt = 1; attempt <= attempts && m_unreadable; ++attempt) {
        try {
            m_file.salvage([this](journal::Entry entry) { take(std::move(entry)); });
            m_unreadable = false;
        } catch (const std::bad_alloc& error) { // what is on the stack by now makes room when it has run
            tell(trouble, error);
            break;
        } catch (const std::exception& error) {
            if (attempt == attempts) {
                tell(trouble, error);
            }
        }
    }
    if (!m_file.damage().empty()) {
        tell(trouble, m_file.damage());
    }
    if (!is_complete()) {
        note_unread();
    }
}

std::uint64_t Stack::push(Cleanup cleanup) {
    const journal::Registered registered{std::move(cleanup)};
    try {
        return append(registered);
    } catch (const std::exception& error) {
        if (!read_state().begun) {
            throw;
        }
        tell("a cleanup cannot be recorded, and is lost if finally-run and its guardian are killed", error);
        const std::uint64_t id = note(registered);
        if (m_on_unrecorded) {
            m_on_unrecorded();
        }
        return id;
    }
}

std::optional<Cleanup> Stack::top() {
    const auto& stack = read_state().stack;
    return stack.empty() ? std::nullopt : std::optional(stack.back());
}

void Stack::finished(const Cleanup& cleanup, const Outcome& outcome) {
    check_child();
    if (outcome.error.empty() || m_state.opened.drops_failed) {
        record(journal::CleanupEnded{cleanup.id, outcome.error});
        return;
    }
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    record(journal::CleanupFailed{cleanup.id, outcome.exit_code, outcome.signal, outcome.attempts, std::int64_t{now},
                                  outcome.error});
}

void Stack::withdraw(std::uint64_t id) { record(journal::CleanupEnded{id, {}}); }

std::function<int()> Stack::in_child(const Cleanup& cleanup) {
    return [this, id = cleanup.id] {
        m_child_error = m_file.append_started(journal::Started::What::cleanup, id);
        return 0;
    };
}

std::function<int()> Stack::in_child(journal::Started::What what, std::uint64_t stop) {
    return [this, what, stop, first = !read_state().begun] {
        const int error = m_file.append_started(what, stop);
        m_child_error = first ? 0 : error;
        return first ? error : 0;
    };
}

void Stack::check_child() {
    if (const int error = std::exchange(m_child_error, 0); error != 0) {
        tell("cannot be recorded", os::error_text(error));
    }
}

std::optional<journal::Started> Stack::service(std::uint64_t stop) {
    const auto& services = read_state().services;
    const auto at = std::ranges::find(services, stop, &journal::Started::cleanup);
    return at != services.end() ? std::optional(*at) : std::nullopt;
}

bool Stack::close(bool drop) {
    // Whoever registers a cleanup looks at the seal afterwards: it sees it, and reads on to find which came first, or
    // we see its cleanup now.
    m_file.seal();
    bool recorded = true;
    try {
        m_file.append(journal::Over{drop});
    } catch (const std::exception&) {
        recorded = false; // then the missing name tells
    }
    const auto more = [&] { return !read_state().over && !drop && !m_state.stack.empty(); };
    if (more()) {
        m_file.unseal();
        return false;
    }
    if (!is_complete()) {
        tell("stays: finally-run --status shows the run, --forget drops it", "it could not be read to its end");
        return true;
    }
    if (!m_state.failures.empty()) {
        m_file.put_by();
        return recorded || !more();
    }
    m_remembered = journal::remember(m_state, m_file.state_dir());
    if (!m_remembered && m_state.is_to_be_remembered()) {
        tell("how it ended is not kept for finally-run --status", os::error_text(errno));
    }
    if (m_on_clean && m_state.failures.empty() && !m_state.has_given_up()) {
        m_on_clean();
    }
    if (!m_file.remove()) {
        tell("cannot be removed", os::error_text(errno));
    }
    return recorded || !more();
}

const journal::State& Stack::read_state() {
    refresh();
    return m_state;
}

} // namespace finally_run::cleanup
