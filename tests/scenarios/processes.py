"""Every process that a test has started, directly or not: whoever loses its parent becomes a child of the test."""

import contextlib
import ctypes
import os
import pathlib
import signal
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36


class Process(NamedTuple):
    pid: int
    parent: int
    state: str
    session: int
    name: str
    words: str  # its command line, or its name if it has none

    @property
    def dead(self):
        return self.state in "ZX"

    @property
    def is_guardian(self):
        return self.name == "finally-guard"


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def before_other_work():
    """For who is timed by others: what runs beside the tests takes no processor from this process and its children."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def look_at(pid):
    """The process, or None if it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    state, parent, _, session = stat[stat.rindex(")") + 2 :].split()[:4]
    words = words.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return Process(int(pid), int(parent), state, int(session), name, words or name)


def alive(pid):
    process = look_at(pid)
    return process is not None and not process.dead


def everybody():
    found = (look_at(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process is not None]


def descendants(pid=None):
    """The processes below this one (or the test itself), parents first."""
    children = {}
    for process in everybody():
        children.setdefault(process.parent, []).append(process)
    found = []
    queue = [pid or os.getpid()]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += [process.pid for process in below]
    return found


def reap(pids_to_keep):
    """Ends the zombies that were left to the test, but not those whose status somebody waits for."""
    for process in descendants():
        if process.dead and process.parent == os.getpid() and process.pid not in pids_to_keep:
            os.waitpid(process.pid, os.WNOHANG)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
