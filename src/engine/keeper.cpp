#include "engine/keeper.hpp"

#include "os/adopter.hpp"
#include "os/ci.hpp"
#include "os/error.hpp"
#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace finally_run::engine {

namespace {

// Whole where it is whole: a shell can calculate with it.
std::string seconds_text(text::Duration duration) {
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    constexpr int in_a_second = 1000;
    return milliseconds % in_a_second == 0
               ? std::to_string(milliseconds / in_a_second)
               : fmt::format("{}.{:03}", milliseconds / in_a_second, milliseconds % in_a_second);
}

std::string plain_title(const std::string& run_id) { return "finally-keeper: of run " + run_id; }

std::string begin_of_waiting(pid_t supervisor) { return ", pid " + std::to_string(supervisor) + ", waits for "; }

constexpr std::string_view before_holder = ", held by ";

} // namespace

std::string Keeper::waiting_title(const std::string& run_id, pid_t supervisor, const std::string& name,
                                  const std::string& holder) {
    return plain_title(run_id) + begin_of_waiting(supervisor) + name + std::string(before_holder) + holder;
}

std::optional<Keeper::Awaited> Keeper::awaited_by(pid_t supervisor, std::string_view title) {
    const std::string begin = begin_of_waiting(supervisor);
    const auto at = title.find(", "); // no id of a run has it
    if (!title.starts_with(plain_title("")) || at == title.npos || !title.substr(at).starts_with(begin)) {
        return std::nullopt;
    }
    title.remove_prefix(at + begin.size());
    const auto end = title.find(before_holder);
    return end == title.npos
               ? Awaited{std::string(title), {}}
               : Awaited{std::string(title.substr(0, end)), std::string(title.substr(end + before_holder.size()))};
}

Keeper::Keeper(std::vector<Wanted> locks, const Told& told, const std::string& run_id, const os::MainArgs& main_args,
               os::Signals& signals, std::vector<int> shared, Say say, Say not_freed, TakeOver take_over)
    : m_locks(std::move(locks)), m_told(told), m_environment(main_args.envp) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        os::throw_errno("cannot start the keeper");
    }
    os::Fd ours = os::moved_high(os::Fd(ends[0]));
    os::Fd its = os::moved_high(os::Fd(ends[1]));
    const auto kin = os::orphans_are_reaped() ? os::Kin::nobodys : os::Kin::child;
    const auto live = [&, supervisor = ::getpid(), title = os::title_place(main_args)](int line) {
        m_own_environment.take(m_environment);
        // What a helper leaves is ours to reap.
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        const Duties duties{m_locks,
                            [this](const Wanted& wanted) { return environment_for(wanted); },
                            [&](const Wanted& wanted, std::string_view words) { say(wanted.name, words); },
                            [&](const Wanted& wanted, std::string_view why) { not_freed(wanted.name, why); },
                            [&](const Wanted& wanted, const std::string& holder) {
                                os::set_title(holder.empty() ? plain_title(run_id)
                                                             : waiting_title(run_id, supervisor, wanted.name, holder),
                                              title);
                            },
                            take_over};
        Keeping(duties, signals, line).run();
    };
    m_environment.detach();
    for (const char* const marker : os::leftover_markers) {
        m_environment.remove(marker);
    }
    // By these whoever finishes a run finds what belongs to it.
    m_environment.remove("FINALLY_RUN_ID");
    m_environment.remove("FINALLY_RUN_JOURNAL");
    const os::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    shared.push_back(signals.fd());
    m_process.start(kin, std::move(ours), std::move(its), {"keeper", process_name, plain_title(run_id)}, main_args,
                    {std::move(shared), null.get(), 0, live});
    m_process.await_apart();
}

const char* const* Keeper::environment_for(const Wanted& wanted) {
    m_environment.set("FINALLY_RUN_LOCK_HOLDER", m_told.holder);
    m_environment.set("FINALLY_RUN_LOCK_WAIT", m_told.wait ? seconds_text(*m_told.wait) : "");
    m_environment.set("FINALLY_RUN_LOCK_TTL", seconds_text(m_told.ttl));
    m_environment.set("FINALLY_RUN_LOCK_MODE", wanted.shared ? "shared" : "exclusive");
    return m_environment.block();
}

Keeper::Heard Keeper::hear(Message& message) const {
    std::string packet(longest_packet, '\0');
    ssize_t got = -1;
    do {
        got = ::recv(m_process.line(), packet.data(), packet.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        return Heard::nothing;
    }
    auto heard = got > 0 ? decode(std::string_view(packet).substr(0, static_cast<std::size_t>(got))) : std::nullopt;
    if (!heard) {
        return Heard::end;
    }
    message = std::move(*heard);
    return Heard::message;
}

std::optional<Message> Keeper::next() {
    Message message{};
    const Heard heard = hear(message);
    if (heard == Heard::nothing) {
        return std::nullopt;
    }
    const bool is_gone = heard == Heard::end;
    if (is_gone) {
        const std::size_t which = has_all() ? 0 : m_held.size();
        message = Message{has_all() ? Message::What::lost : Message::What::failed, which, "its keeper is gone"};
    }
    if (message.lock >= m_locks.size()) {
        return std::nullopt;
    }
    if (message.what == Message::What::unclean) {
        m_unclean = message.text;
    } else if (message.what == Message::What::held && !has_all()) {
        m_held.push_back({m_locks[message.lock].name, message.text, std::exchange(m_unclean, {})});
    } else if (message.what == Message::What::lost && !m_loss) {
        m_loss = plan::LockLoss{{}, message.text};
        for (std::size_t i = 0; i < m_locks.size(); ++i) {
            if (is_gone || i == message.lock) {
                m_loss->names.push_back(m_locks[i].name);
            }
        }
    }
    return message;
}

const std::optional<plan::LockLoss>& Keeper::loss() {
    while (!m_loss && next()) {
    }
    return m_loss;
}

void Keeper::clean() const {
    if (!m_stays_unclean) {
        tell({Message::What::clean});
    }
}

void Keeper::tell(const Message& message) const {
    const std::string packet = encode(message);
    while (::send(m_process.line(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
    }
}

std::optional<plan::LockLoss> Keeper::release(text::Duration patience) {
    tell({Message::What::release});
    const os::Deadline deadline = os::deadline_after(patience);
    // Both directions are closed by its end alone.
    pollfd end{m_process.line(), 0, 0};
    while (!os::has_passed(deadline) && ::poll(&end, 1, os::poll_timeout(deadline)) <= 0) {
    }
    const bool has_ended = end.revents != 0;
    bool released = m_loss.has_value(); // which was told, and nothing follows it
    for (Message message{}; has_ended && !released && hear(message) == Heard::message;) {
        released = message.what == Message::What::released;
    }
    if (has_ended) {
        m_process.await_end();
    }
    if (released) {
        return std::nullopt;
    }
    plan::LockLoss unknown{{}, has_ended ? "its keeper is gone" : "its keeper has not given it back in time"};
    for (const Wanted& lock : m_locks) {
        unknown.names.push_back(lock.name);
    }
    return unknown;
}

} // namespace finally_run::engine
