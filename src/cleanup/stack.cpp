#include "cleanup/stack.hpp"

#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace finally_run::cleanup {

Stack::Stack(journal::File file, journal::State state, Trouble trouble)
    : m_file(std::move(file)), m_state(std::move(state)), m_trouble(std::move(trouble)) {}

// Into the memory of this process alone.
void Stack::note(journal::Record record) { m_state.apply({m_next_own_id++, std::move(record)}); }

void Stack::record(const journal::Record& record) {
    try {
        m_file.append(record);
        m_unread.push_back(record);
    } catch (const std::system_error& error) {
        m_trouble("cannot be recorded", os::error_text(error.code().value()));
        refresh(); // what was recorded before comes first
        note(record);
    }
}

void Stack::refresh() {
    constexpr int attempts = 3; // nothing but a broken disk fails twice
    for (int attempt = 0; attempt < attempts && !m_blind; ++attempt) {
        try {
            m_state.apply(m_file.read());
            m_unread.clear();
            return;
        } catch (const std::exception& error) {
            if (attempt == attempts - 1) {
                m_trouble("cannot be read, deferred cleanups may be missing", error.what());
            }
        }
    }
    m_blind = true;
    for (journal::Record& record : std::exchange(m_unread, {})) {
        note(std::move(record));
    }
}

void Stack::push(Cleanup cleanup) {
    const journal::Registered registered{std::move(cleanup)};
    try {
        m_file.append(registered);
        m_unread.emplace_back(registered);
    } catch (const std::system_error& error) {
        if (!state().begun) {
            throw;
        }
        m_trouble("cannot be recorded", os::error_text(error.code().value()));
        note(registered);
    }
}

std::optional<Cleanup> Stack::top() {
    const auto& stack = state().stack;
    return stack.empty() ? std::nullopt : std::optional(stack.back());
}

void Stack::finished(const Cleanup& cleanup, const Outcome& outcome) {
    check_child();
    record(journal::CleanupEnded{cleanup.id, outcome.error});
}

void Stack::withdraw(const std::string& text) {
    const auto& stack = state().stack;
    const auto at =
        std::find_if(stack.rbegin(), stack.rend(), [&](const auto& cleanup) { return cleanup.text == text; });
    if (at != stack.rend()) {
        record(journal::CleanupEnded{at->id, {}});
    }
}

std::function<int()> Stack::in_child(const Cleanup& cleanup) {
    return [this, id = cleanup.id] {
        m_child_error = m_file.append_started(journal::Started::What::cleanup, id);
        return 0;
    };
}

std::function<int()> Stack::in_child(journal::Started::What what) {
    return [this, what, first = !state().begun] {
        const int error = m_file.append_started(what, 0);
        m_child_error = first ? 0 : error;
        return first ? error : 0;
    };
}

void Stack::check_child() {
    if (const int error = std::exchange(m_child_error, 0); error != 0) {
        m_trouble("cannot be recorded", os::error_text(error));
    }
}

bool Stack::close(bool drop) {
    // Whoever registers a cleanup looks at the seal afterwards: it sees it, and reads on to find which came first, or
    // we see its cleanup now.
    m_file.seal();
    bool recorded = true;
    try {
        m_file.append(journal::Over{drop});
    } catch (const std::system_error&) {
        recorded = false; // then the missing name tells
    }
    const auto more = [&] { return !drop && !state().over && !m_state.stack.empty(); };
    if (more()) {
        m_file.unseal();
        return false;
    }
    if (!m_file.remove()) {
        m_trouble("cannot be removed", os::error_text(errno));
    }
    return recorded || !more();
}

const journal::State& Stack::state() {
    refresh();
    return m_state;
}

} // namespace finally_run::cleanup
