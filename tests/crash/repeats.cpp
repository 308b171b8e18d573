// What a point is told from.
#include "repeats.hpp"

#include <sys/syscall.h>

#include <algorithm>

namespace finally_run::crash {

namespace {

constexpr unsigned enough = 2;

// After it another file, another process or another signal is about, so that the same calls are other points.
bool changes_something(long call) {
    switch (call) {
    case SYS_clone:
    case SYS_execve:
    case SYS_fchmod:
    case SYS_kill:
    case SYS_linkat:
    case SYS_pidfd_send_signal:
    case SYS_pwrite64:
    case SYS_renameat2:
    case SYS_unlinkat:
    case SYS_write:
    case SYS_writev:
#if defined(SYS_unlink)
    case SYS_chmod:
    case SYS_link:
    case SYS_rename:
    case SYS_rmdir:
    case SYS_unlink:
#endif
        return true;
    default:
        return false;
    }
}

} // namespace

bool Repeats::is_repeat(const Point& point) {
    std::rotate(m_kind.begin(), m_kind.begin() + 1, m_kind.end());
    m_kind.back() = (point.call << 2) | (point.entry ? 2 : 0) | (point.in_child ? 1 : 0);
    if (!point.entry && changes_something(point.call)) {
        m_seen.clear();
        return false;
    }
    return ++m_seen[m_kind] > enough;
}

} // namespace finally_run::crash
