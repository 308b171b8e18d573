// The run's side of its keeper: the process that holds the run's locks at their engines.
#pragma once

#include "engine/keeping.hpp"
#include "engine/message.hpp"
#include "os/bystander.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "os/title.hpp"
#include "plan/lock_loss.hpp"
#include "text/duration.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::engine {

// For Keeper::release: more than the keeper has with its helpers.
inline constexpr text::Duration release_patience = std::chrono::seconds(15);

struct HeldLock {
    std::string name;    // ENGINE:NAME
    std::string token;   // empty: the engine has none
    std::string unclean; // who held it before and did not clean up; empty: nobody
};

class Keeper {
public:
    // What every helper of the run is told by its environment.
    struct Told {
        std::string holder; // host, run, pid, command and CI job of ours
        text::Limit wait;   // nullopt: for ever
        text::Duration ttl{};
    };
    // What `ps` shows of a keeper: "finally-keeper: of run ID", and while one of its locks is awaited what follows.
    static constexpr const char* process_name = "finally-keeper";
    [[nodiscard]] static std::string waiting_title(const std::string& run_id, pid_t supervisor, const std::string& name,
                                                   const std::string& holder);
    struct Awaited {
        std::string name;
        std::string holder; // as its helper says
    };
    // nullopt: it is no such title, or that of somebody else's keeper.
    [[nodiscard]] static std::optional<Awaited> awaited_by(pid_t supervisor, std::string_view title);

    // All of them run in the keeper: see Duties.
    using Say = std::function<void(const std::string& name, std::string_view line)>;
    using TakeOver = std::function<bool(const plan::LookForLoss& loss, bool was_clean)>;

    // Forks it. It keeps the descriptors `shared` (of the local locks) open, so that nobody has those before it has
    // ended. `environment` ends with a null and is that of main, `locks` in the order in which they are to be taken.
    // Throws std::system_error.
    Keeper(std::vector<Wanted> locks, const Told& told, const std::string& run_id, const os::MainArgs& main_args,
           os::Signals& signals, std::vector<int> shared, Say say, Say not_freed, TakeOver take_over);
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;
    // Leaves it alone: it sees the end of supervisor and guardian.
    ~Keeper() = default;

    [[nodiscard]] int line() const { return m_process.line(); } // readable when next() has something, and after a loss
    // What it says, without waiting. nullopt: nothing now. Its end counts as the loss of the first lock.
    [[nodiscard]] std::optional<Message> next();
    [[nodiscard]] const std::string& name_of(std::size_t lock) const { return m_locks[lock].name; }

    // In the order of `locks`; once they are had.
    [[nodiscard]] const std::vector<HeldLock>& held() const { return m_held; }
    [[nodiscard]] bool has_all() const { return m_held.size() == m_locks.size(); }

    // Whether a lock has been lost by now, and how. Stays so.
    [[nodiscard]] const std::optional<plan::LockLoss>& loss();

    void begin(std::string_view text) const { tell({Message::What::begin, 0, std::string(text)}); }
    void clean() const;
    // An earlier run with these locks is not clean yet: `clean` says nothing from now on.
    void stay_unclean() { m_stays_unclean = true; }
    // Gives the locks back, and returns when they are free or this has taken too long. nullopt: the keeper has said so,
    // or what there is to be said of it; else whose freedom is not known, and why.
    std::optional<plan::LockLoss> release(text::Duration patience);

private:
    void tell(const Message& message) const;
    // Without waiting; what is no message is the end as well.
    enum class Heard { nothing, message, end };
    [[nodiscard]] Heard hear(Message& message) const;
    const char* const* environment_for(const Wanted& wanted);

    std::vector<Wanted> m_locks;
    Told m_told;
    std::vector<HeldLock> m_held;
    std::string m_unclean; // of the one that is being taken
    std::optional<plan::LockLoss> m_loss;
    bool m_stays_unclean = false;
    os::Bystander m_process;
    // In the keeper alone:
    os::Environment m_environment;
    os::OwnEnvironment m_own_environment;
};

} // namespace finally_run::engine
