// One attempt at a cleanup that is a removal: in a child of ours, since a disk may let a system call wait for ever.
#pragma once

#include "cleanup/outcome.hpp"
#include "cleanup/remove_tree.hpp"
#include "os/events.hpp"
#include "text/duration.hpp"

#include <functional>
#include <string_view>

namespace finally_run::cleanup {

// All is borrowed.
struct Removal {
    int directory;
    std::string_view path;
    Care care = {};
};

// remove_tree() in a session of its own, where no stop signal cuts it off. At the limit it gets SIGKILL: there is
// nothing that it could do better with the grace period. One that does not end even then, since its disk hangs, is left
// behind: it will make no further call. Signals that reach us meanwhile go to `on_signal`. The child calls `in_child`
// first, with all our descriptors; it then keeps none of them, locks least of all. Where no process is to be had we
// remove it ourselves.
[[nodiscard]] Outcome run_removal(const Removal& removal, text::Limit limit, os::Events& events,
                                  const std::function<void(const os::Signal&)>& on_signal,
                                  const std::function<void()>& in_child);

} // namespace finally_run::cleanup
