// The keeper's work: it has the helpers as its children, and is there for as long as their locks are needed.
#pragma once

#include "engine/helper.hpp"
#include "engine/said.hpp"
#include "engine/tenure.hpp"
#include "os/clock.hpp"
#include "os/signals.hpp"
#include "plan/lock_loss.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::engine {

// A lock and the program that takes it.
struct Wanted {
    std::string name;  // ENGINE:NAME
    std::string there; // NAME
    std::filesystem::path program;
    bool shared = false;
};

struct Duties {
    std::vector<Wanted> locks; // in the order in which they are taken
    // Of the program that takes it; ends with a null, and is valid until the next call.
    std::function<const char* const*(const Wanted&)> environment;
    // What it says on its stderr, line by line.
    std::function<void(const Wanted&, std::string_view line)> say;
    // It was to be given back, and nobody knows that it was.
    std::function<void(const Wanted&, std::string_view reason)> not_freed;
    // Who holds it, before it is had; empty: it is had.
    std::function<void(const Wanted&, const std::string& holder)> waits;
    // Nobody else is left to finish the run. Is the run clean now? `was_clean`: so were the last holders of the locks.
    std::function<bool(const plan::LookForLoss& loss, bool was_clean)> take_over;
};

class Keeping {
public:
    // `line`: a socket to the run (SOCK_SEQPACKET), which supervisor and guardian have the other end of. All is
    // borrowed.
    Keeping(const Duties& duties, os::Signals& signals, int line)
        : m_duties(duties), m_signals(signals), m_line(line) {}

    // Returns when the locks are free again, or nobody can do anything about them any more.
    void run();

private:
    struct Tenant {
        const Wanted& wanted;
        Helper helper;
        Hearing hearing = {};
        Tenure tenure = {};
        std::string last_words = {}; // of its stderr: a line that was not passed on yet, or what has come of it
        bool line_waits = false;     // ... and it is whole
        os::Deadline say_by = {};
        os::Deadline closed_by = {}; // its stdout is closed: by then we know how it ended, or it lives on
        os::Deadline patience = {};  // for its release
    };

    void start_next();
    void wait();
    void hear_run();
    void tell_helpers(const std::string& line);
    void begin_release();
    void look_at_helpers();
    void look_at(Tenant& tenant);
    void hear_words(Tenant& tenant, std::string_view bytes);
    void say_words(Tenant& tenant);
    void carry_out(Tenant& tenant, const Tenure::Reaction& reaction);
    void tell_run(const Message& message) const;
    [[nodiscard]] bool is_over() const;

    const Duties& m_duties;
    os::Signals& m_signals;
    int m_line;
    std::vector<std::unique_ptr<Tenant>> m_tenants;
    std::optional<plan::LockLoss> m_loss; // the first
    bool m_was_clean = true;
    bool m_is_clean = false; // the run has said so: it is over
    bool m_run_gone = false;
    bool m_releasing = false;
    bool m_refused = false; // one cannot be had: the next is not asked for
    bool m_had_all = false; // so the run has begun, or is about to
};

} // namespace finally_run::engine
