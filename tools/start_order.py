#!/usr/bin/env python3
"""start_order.py PROGRAM MAP FILE: makes FILE, cmake/start.ld, from starts of PROGRAM.

It follows them instruction by instruction, on x86-64 alone. MAP is what the linker wrote with -Map when it made PROGRAM.
"""
import bisect
import collections
import ctypes
import os
import re
import signal
import sys
import tempfile

HEAD = """/* Made by ./dev order: the functions that a start runs, those of the guardian first and then the more common
   ones, so that they are on few pages. What is not there does no harm; what is missing costs a page fault. */
SECTIONS
{
  .text.start :
  {"""
TAIL = """  }
}
INSERT BEFORE .text;"""

RUNS = [
    ["true"],
    ["--lock", "L", "true"],
    ["--lock", "L", "--cleanup", "rm -f X", "true"],
    ["--lock", "L", "--remove", "X", "true"],
]

LONGEST = 100  # nobody needs a whole name

# ptrace(2)
TRACEME, PEEKUSER, SINGLESTEP, DETACH, SETOPTIONS = 0, 3, 9, 17, 0x4200
FOLLOW_ALL = 0x2 | 0x4 | 0x8 | 0x10  # fork, vfork, clone and exec
EXEC_EVENT = 4
RIP = 16 * 8  # in struct user
WALL = 0x40000000  # waitpid(2): children of any kind

libc = ctypes.CDLL(None)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def trace(program, words):
    """The addresses of all instructions: of finally-run and what becomes another program, and those of the guardian."""
    main = os.fork()
    if main == 0:
        libc.ptrace(TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.execv(program, [program, *words])
    os.waitpid(main, 0)
    libc.ptrace(SETOPTIONS, main, None, FOLLOW_ALL)
    libc.ptrace(SINGLESTEP, main, None, None)
    found = collections.defaultdict(set)
    others = {main}
    started = False
    while True:
        process, status = os.waitpid(-1, WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            if process == main:
                break
            continue
        stop, event = os.WSTOPSIG(status), status >> 16
        if event == EXEC_EVENT and started:
            others.add(process)
            libc.ptrace(DETACH, process, None, None)
            continue
        started = started or event == EXEC_EVENT
        if started and not event:
            found[process].add(libc.ptrace(PEEKUSER, process, RIP, None))
        libc.ptrace(SINGLESTEP, process, None, None if event or stop in (signal.SIGTRAP, signal.SIGSTOP) else stop)
    ours, guardians = (
        set().union(*(found[process] for process in found if (process in others) == wanted)) for wanted in (True, False)
    )
    return ours, guardians


def read_map(path):
    """The parts of the program's .text, in order: (address, size, name of the section, file)."""
    found, text, name = [], False, ""
    for line in open(path, encoding="utf-8"):
        if re.match(r"\S", line):
            text, name = line.startswith(".text"), ""
        elif match := re.match(r" (\.\S+)$", line):  # the rest is in the next line
            name = match[1]
        elif match := re.match(r"(?: (\.\S+))?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", line):
            if text and (match[1] or name) and int(match[3], 16):
                found.append((int(match[2], 16), int(match[3], 16), match[1] or name, match[4]))
            name = ""
    return sorted(found)


def patterns(name, file):
    """What the linker is to look for: this section, and its like for other processors or of another compiler."""
    if name.count(".") > 1 and "libc.a(" not in file:
        name = re.sub(r"\.(isra|constprop|part)\.\d.*$", "*", name)  # numbered as it comes
        yield f"*({name if len(name) <= LONGEST else name[:LONGEST] + '*'})"
    elif crt := re.search(r"/(crt\w+\.o)$", file):
        yield f"*{crt[1]}({name})"
    elif member := re.search(r"/(lib[a-z_]+)[-.\d]*\.a\((.+)\.o\)$", file):
        yield f"*{member[1]}*.a:{member[2]}.o({name})"


def main():
    program, map_file, made = map(os.path.abspath, sys.argv[1:])
    parts = read_map(map_file)
    starts = [part[0] for part in parts]
    of_guardian, times = set(), collections.Counter()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        os.environ["XDG_STATE_HOME"] = place
        for at, words in enumerate(RUNS):
            if at == 2:  # the rest: and with a variable of our own
                os.environ["FINALLY_RUN_STATE_DIR"] = place + "/state"
            ours, guardians = (
                {bisect.bisect_right(starts, address) - 1 for address in addresses if address < starts[-1]}
                for addresses in trace(program, words)
            )
            times.update(ours)
            times.update(guardians)
            of_guardian |= guardians
    times.pop(-1, None)
    order = sorted(times, key=lambda at: (at not in of_guardian, -times[at], at))
    lines = dict.fromkeys(pattern for at in order for pattern in patterns(parts[at][2], parts[at][3]))
    with open(made + ".new", "w", encoding="utf-8") as file:
        print(HEAD, *("    " + line for line in lines), TAIL, sep="\n", file=file)
    os.rename(made + ".new", made)
    total = [sum(parts[at][1] for at in some) for some in (times, of_guardian)]
    print(f"{len(times)} functions of {total[0]} bytes, {total[1]} of them the guardian's")


main()
