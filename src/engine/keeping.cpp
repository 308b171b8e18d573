#include "engine/keeping.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace finally_run::engine {

namespace {

using namespace std::chrono_literals;

// A line that is followed by the helper's end is the reason for that.
constexpr text::Duration words_pause = 300ms;
// From the end of its stdout to the moment when we are told how it ended.
constexpr text::Duration end_pause_wanted = 2s;
constexpr text::Duration end_pause_held = 200ms;
// For a release, and once more after TERM.
constexpr text::Duration stdin_patience = 10s;
constexpr text::Duration term_patience = 2s;
constexpr std::size_t longest_words = 4000;

} // namespace

void Keeping::tell_run(const Message& message) const {
    const std::string packet = encode(message);
    // Who waits may be stopped: what it has not read it need not read. The rest it must know.
    const int flags = MSG_NOSIGNAL | (message.what == Message::What::waiting ? MSG_DONTWAIT : 0);
    while (::send(m_line, packet.data(), packet.size(), flags) < 0 && errno == EINTR) {
    }
    if (message.what == Message::What::lost) {
        // Whoever of the two looks, now or later, finds the end of what can be read.
        ::shutdown(m_line, SHUT_WR);
    }
}

void Keeping::start_next() {
    const bool had = m_tenants.empty() || m_tenants.back()->tenure.phase() == Tenure::Phase::held;
    m_had_all = m_had_all || (had && m_tenants.size() == m_duties.locks.size());
    if (m_releasing || m_refused || m_had_all || !had) {
        return;
    }
    const std::size_t next = m_tenants.size();
    const Wanted& wanted = m_duties.locks[next];
    try {
        // NOLINTNEXTLINE(modernize-make-unique): it takes no braces
        m_tenants.push_back(std::unique_ptr<Tenant>(new Tenant{
            wanted, Helper(wanted.program, wanted.there, m_duties.environment(wanted), m_signals.ignored_here())}));
    } catch (const std::system_error& error) {
        m_refused = true;
        tell_run({Message::What::failed, next, error.what()});
    }
}

void Keeping::carry_out(Tenant& tenant, const Tenure::Reaction& reaction) {
    if (reaction.end_stdin) {
        tenant.helper.end_stdin();
        tenant.patience = os::deadline_after(stdin_patience);
    }
    if (reaction.terminate) {
        tenant.helper.signal(SIGTERM);
        tenant.patience = os::deadline_after(term_patience);
    }
    if (reaction.kill) {
        tenant.helper.signal(SIGKILL);
        tenant.patience.reset();
    }
    if (!reaction.not_freed.empty()) {
        m_duties.not_freed(tenant.wanted, reaction.not_freed);
    }
    if (reaction.tell) {
        if (*reaction.tell == Message::What::waiting || *reaction.tell == Message::What::held) {
            m_duties.waits(tenant.wanted, *reaction.tell == Message::What::waiting ? reaction.text : "");
        }
        if (*reaction.tell == Message::What::lost && !m_loss) {
            m_loss = plan::LockLoss{{tenant.wanted.name}, reaction.text};
        }
        m_was_clean = m_was_clean && *reaction.tell != Message::What::unclean;
        m_refused = m_refused || *reaction.tell == Message::What::busy || *reaction.tell == Message::What::failed;
        const auto is_it = [&](const auto& other) { return other.get() == &tenant; };
        const auto at = std::ranges::find_if(m_tenants, is_it) - m_tenants.begin();
        tell_run({*reaction.tell, static_cast<std::size_t>(at), reaction.text});
    }
}

void Keeping::say_words(Tenant& tenant) {
    if (!tenant.last_words.empty()) {
        m_duties.say(tenant.wanted, tenant.last_words);
    }
    tenant.last_words.clear();
    tenant.line_waits = false;
    tenant.say_by.reset();
}

void Keeping::hear_words(Tenant& tenant, std::string_view bytes) {
    for (const char c : bytes) {
        if (tenant.line_waits) {
            say_words(tenant);
        }
        if (c == '\n') {
            if (tenant.last_words.ends_with('\r')) { // ssh(1) writes for a terminal
                tenant.last_words.pop_back();
            }
            tenant.line_waits = true;
            tenant.say_by = os::deadline_after(words_pause);
        } else if (tenant.last_words.size() < longest_words) {
            tenant.last_words += c;
        }
    }
}

void Keeping::look_at(Tenant& tenant) {
    // What it wrote before it ended counts: so first whether it has ended, then what there is to be read.
    const auto ended = tenant.helper.look();
    for (bool more = tenant.helper.err() >= 0; more;) {
        const std::string bytes = tenant.helper.read_err();
        hear_words(tenant, bytes);
        more = ended && !bytes.empty();
    }
    for (bool more = tenant.helper.out() >= 0; more;) {
        const std::string bytes = tenant.helper.read_out();
        for (const Said& said : tenant.hearing.hear(bytes)) {
            carry_out(tenant, tenant.tenure.on_said(said));
        }
        if (!tenant.hearing.breach().empty() && tenant.tenure.phase() != Tenure::Phase::over) {
            carry_out(tenant, tenant.tenure.on_breach(tenant.hearing.breach()));
        }
        more = ended && !bytes.empty();
        if (tenant.helper.out() < 0) {
            const bool held = tenant.tenure.phase() == Tenure::Phase::held;
            tenant.closed_by = os::deadline_after(held ? end_pause_held : end_pause_wanted);
        }
    }
    if (ended) {
        // Of one that ends unasked the last line says why.
        const auto phase = tenant.tenure.phase();
        const bool asked = phase == Tenure::Phase::releasing || phase == Tenure::Phase::over;
        const std::string words = asked ? "" : std::exchange(tenant.last_words, {});
        say_words(tenant);
        tenant.closed_by.reset();
        tenant.patience.reset();
        carry_out(tenant, tenant.tenure.on_ended(*ended, words));
    } else if (os::has_passed(tenant.closed_by)) {
        tenant.closed_by.reset();
        carry_out(tenant, tenant.tenure.on_closed());
    } else if (os::has_passed(tenant.patience)) {
        tenant.patience.reset();
        carry_out(tenant, tenant.tenure.on_patience_over());
    }
    if (os::has_passed(tenant.say_by)) {
        say_words(tenant);
    }
}

void Keeping::look_at_helpers() {
    for (const auto& tenant : m_tenants) {
        look_at(*tenant);
    }
}

void Keeping::begin_release() {
    m_releasing = true;
    for (const auto& tenant : m_tenants) {
        carry_out(*tenant, tenant->tenure.on_release());
    }
}

void Keeping::hear_run() {
    std::string packet(longest_packet, '\0');
    const ssize_t got = ::recv(m_line, packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        m_run_gone = true;
        return;
    }
    packet.resize(static_cast<std::size_t>(got));
    const auto message = decode(packet);
    if (!message) {
        return;
    }
    if (message->what == Message::What::release) {
        begin_release();
        return;
    }
    if (message->what == Message::What::begin) {
        std::string line = "begin " + message->text;
        std::ranges::replace(line, '\n', ' ');
        tell_helpers(line);
    } else if (message->what == Message::What::clean) {
        m_is_clean = true;
        tell_helpers("clean");
    }
}

void Keeping::tell_helpers(const std::string& line) {
    for (const auto& tenant : m_tenants) {
        tenant->helper.tell(line);
    }
}

bool Keeping::is_over() const {
    return m_releasing && std::ranges::all_of(m_tenants, [](const auto& tenant) { return tenant->tenure.is_over(); });
}

void Keeping::wait() {
    std::vector<pollfd> fds{{m_line, static_cast<short>(m_run_gone ? 0 : POLLIN), 0}, {m_signals.fd(), POLLIN, 0}};
    if (m_run_gone) {
        fds.front().fd = -1;
    }
    os::Deadline next;
    for (const auto& tenant : m_tenants) {
        fds.push_back({tenant->helper.out(), POLLIN, 0});
        fds.push_back({tenant->helper.err(), POLLIN, 0});
        next = os::earliest({next, tenant->say_by, tenant->closed_by, tenant->patience});
    }
    static_cast<void>(::poll(fds.data(), fds.size(), os::poll_timeout(next)));
    while (m_signals.next()) { // only SIGCHLD means anything to us, and we look anyway
    }
    if (fds.front().revents != 0) {
        hear_run();
    }
}

void Keeping::run() {
    while (!is_over()) {
        start_next();
        wait();
        look_at_helpers();
        if (m_run_gone && !m_releasing) {
            const auto loss = [this] {
                look_at_helpers();
                return m_loss;
            };
            if (m_had_all && m_duties.take_over(loss, m_was_clean) && !m_is_clean) {
                tell_helpers("clean");
            }
            begin_release();
        }
    }
    tell_run({Message::What::released});
}

} // namespace finally_run::engine
