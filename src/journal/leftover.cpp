#include "journal/leftover.hpp"

#include "journal/ended.hpp"
#include "journal/origin.hpp"
#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <system_error>
#include <utility>

namespace finally_run::journal {

namespace {

// Taken up before it is locked: whoever appends takes our lock for that of somebody who goes on with the run, and must
// see that the order of the records decides. On NFS the one may keep us from the other: then the lock comes first.
bool lock_unless_held(File& file, Patience patience) {
    const os::Deadline deadline = os::deadline_after(std::chrono::milliseconds(20));
    for (;;) {
        file.take_up();
        if (file.try_lock()) {
            return true;
        }
        file.leave();
        if (file.try_lock()) {
            file.take_up();
            return true;
        }
        if (patience == Patience::none || os::has_passed(deadline)) {
            return false;
        }
        ::poll(nullptr, 0, 1);
    }
}

// Who must not be believed may be alive all the same. False also if that cannot be seen.
bool is_locked(const std::filesystem::path& path) {
    os::Fd fd(open_wherever_it_is(path, O_RDONLY));
    return fd && File::around(std::move(fd), path).is_locked_by_other();
}

} // namespace

namespace {

enum class Damage { refuse, pass_over };
enum class Lock { whole, shared };

Found claim(const std::filesystem::path& path, Patience patience, Whose whose, Damage damage, Lock lock = Lock::whole) {
    try {
        File file = File::open(path);
        if (lock == Lock::shared ? !file.try_to_share_lock() : !lock_unless_held(file, patience)) {
            return Alive{};
        }
        if (!file.is_there()) {
            return Gone{};
        }
        State state;
        if (damage == Damage::refuse) {
            state.apply(file.read());
        } else {
            state.opened = file.read_opened().value_or(Opened());
            file.salvage([&](Entry entry) { state.apply(std::move(entry)); });
        }
        if (state.opened.run_id.empty()) {
            return Unreadable{file.damage().empty() ? std::string(no_first_record) : file.damage()};
        }
        const Origin origin = origin_of(state.opened);
        if (state.is_done() && file.damage().empty() && !may_have_begun(state, file)) {
            if (origin.same_host && lock == Lock::whole) {
                remember(state, file.state_dir());
                file.remove();
                Runs::existing(file.state_dir()).forget_tags(state.opened.run_id, tags_of(state.opened));
            }
            return Gone{};
        }
        if (!origin.same_host && whose == Whose::this_host) {
            return Elsewhere{std::move(state)};
        }
        if (!origin.same_boot && lock == Lock::whole) {
            file.drop_tail();
        }
        return Leftover{std::move(file), std::move(state)};
    } catch (const Damaged& error) {
        return Unreadable{error.what()};
    } catch (const std::system_error& error) {
        if (error.code().value() == ENOENT) {
            return Gone{};
        }
        if (is_locked(path)) {
            return Alive{};
        }
        return Unreadable{error.what()};
    }
}

} // namespace

Found claim(const std::filesystem::path& path, Patience patience, Whose whose) {
    return claim(path, patience, whose, Damage::refuse);
}

Found claim_own(const std::filesystem::path& path, Patience patience) {
    return claim(path, patience, Whose::this_host, Damage::pass_over);
}

Found look_at(const std::filesystem::path& path) {
    Found found = claim(path, Patience::none, Whose::this_host, Damage::refuse, Lock::shared);
    return std::holds_alternative<Gone>(found) ? claim(path, Patience::none) : std::move(found); // what is over goes
}

bool may_have_begun(const State& state, const File& file) { return !state.begun && file.has_rest(); }

std::optional<Started> living_step(const State& state, const Origin& origin) {
    const auto lives = [&](const Started& step) {
        return origin.same_boot && can_be_told(origin.pids, step.process) &&
               os::still_runs(step.process.pid, step.process.boot_nanoseconds);
    };
    const auto& step = state.cleaning ? state.cleaning : state.step;
    if (step && lives(*step)) {
        return step;
    }
    const auto service = std::ranges::find_if(state.services, lives);
    return service != state.services.end() ? std::optional(*service) : std::nullopt;
}

bool may_live_untold(const State& state, const Origin& origin) {
    return origin.may_live && state.step && !can_be_told(origin.pids, state.step->process);
}

std::optional<State> read_state(const std::filesystem::path& path, std::string* error) {
    try {
        File file = File::open_to_read(path);
        State state;
        state.apply(file.read());
        return state;
    } catch (const std::exception& failure) {
        if (error != nullptr) {
            *error = os::text_of(failure);
        }
        return std::nullopt;
    }
}

} // namespace finally_run::journal
