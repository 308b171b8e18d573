"""What each scenario stands on: a directory, an environment and a deadline of its own, and nothing left behind."""

import fcntl
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

import processes
import recipes
from program import Program

# Of each test, in seconds. It is there for a busy machine.
TIME_LIMIT = float(os.environ.get("SCENARIO_TIME_LIMIT", 60))
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def need(program, package):
    """For setUpClass: a scenario without this program is skipped on a developer's machine, and fails in CI."""
    found = shutil.which(program, path=SYSTEM_PATH)
    if found:
        return found
    why = f"{program} is missing; on Debian: apt-get install {package}"
    if os.environ.get("CI") == "true":
        raise AssertionError(why)
    raise unittest.SkipTest(why)


class Scenario(unittest.TestCase):
    """self.work is where programs start; self.bin is first in PATH and has `finally-run`.

    At its end every process that the test has started must be gone, each lock free, and no journal left; only what was
    started with service=True may still be there, and is killed.
    """

    binary = None  # set by run.py
    longMessage = True

    def run(self, result=None):
        result = result if result is not None else self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        # Short, because the path of a socket must fit into 107 bytes.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="scenario.", dir="/tmp"))
        self.work, self.home, self.bin, self.tmp, self.state_dir = (
            self.dir / name for name in ("work", "home", "bin", "tmp", "state")
        )
        for path in (self.work, self.home, self.bin, self.tmp):
            path.mkdir()
        self.state_dir.mkdir(mode=0o700)
        (self.dir / "runtime").mkdir(mode=0o700)
        (self.bin / "finally-run").symlink_to(self.binary)
        self.env = {
            "PATH": f"{self.bin}:{SYSTEM_PATH}",
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "XDG_RUNTIME_DIR": str(self.dir / "runtime"),
            "FINALLY_RUN_STATE_DIR": str(self.state_dir),
            "LC_ALL": "C",
            "TERM": "dumb",
        }
        self.deadline = time.monotonic() + TIME_LIMIT
        self.programs = []
        self.services = set()
        super().run(result)
        self._end_everybody()
        if len(result.failures) + len(result.errors) > before:
            for program in self.programs:
                print(program.transcript(), file=sys.stderr)
            print(f"kept for you to look at: {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tearDown(self):
        self.nothing_left()

    # Files

    def write(self, name, text, mode=0o644):
        """Below work; makes the directories to it."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def read(self, name):
        """Of a file below work; empty if it is not there."""
        path = self.work / name
        return path.read_text(errors="replace") if path.exists() else ""

    def program(self, name, text):
        """A script that stands for a program of this name: the docker of a recipe, say."""
        path = self.bin / name
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def recipe(self, name):
        return recipes.text(name)

    def write_recipe(self, name, mode=0o644):
        """Each block of the recipe into the file below work that its first line names."""
        for file_name, text in recipes.files(name).items():
            self.write(file_name, text, mode)

    # Programs

    def start(self, *words, env=None, cwd=None, service=False, **options):
        """env is added to self.env; None as a value takes a variable away. The rest: see Program."""
        whole = {key: value for key, value in {**self.env, **(env or {})}.items() if value is not None}
        program = Program(words, deadline=self.deadline, env=whole, cwd=cwd or self.work, **options)
        self.programs.append(program)
        if service:
            self.services.add(program.pid)
        return program

    def run_program(self, *words, **options):
        program = self.start(*words, **options)
        program.finish()
        return program

    def sh(self, script, **options):
        """A script from its start to its end, as `sh -eu`."""
        return self.run_program("sh", "-euc", script, **options)

    # Events

    def wait_until(self, what, holds):
        """For what nobody tells: looks again and again, until `holds` returns something true, and returns that."""
        while True:
            found = holds()
            if found:
                return found
            if time.monotonic() > self.deadline:
                raise AssertionError(f"waited until {what}: not in time")
            time.sleep(0.005)

    def wait_for_text(self, name, text):
        """In a file below work."""
        self.wait_until(f"{name} has {text!r}", lambda: text in self.read(name))

    def find(self, part):
        """The living processes of this test with `part` in their command line."""
        return [process for process in processes.descendants() if part in process.words and not process.dead]

    def wait_for_process(self, part):
        return self.wait_until(f"a process has {part!r} in its command line", lambda: self.find(part))[0]

    def find_run(self, part=""):
        """The one finally-run with `part` in its command line; its guardian is another process."""
        runs = {process.pid: process for process in self.find(part) if process.name == "finally-run"}
        # A guardian has its own name only once it gets to run; until then it is the copy of its parent.
        found = [run for run in runs.values() if run.parent not in runs or runs[run.parent].words != run.words]
        self.assertEqual(len(found), 1, f"runs with {part!r} in their command line: {found}")
        return found[0]

    def guardian_of(self, program):
        """As soon as it goes by its name: until it gets to run, it is the copy of its parent."""
        below = lambda: [process for process in processes.descendants(program.pid) if process.is_guardian]
        return self.wait_until("its guardian goes by its name", below)[0]

    # What must be so in the end

    def is_locked(self, lock):
        """A name in the state directory, or a path."""
        path = self.state_dir / lock
        if not path.exists():
            return False
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def waits_for_lock(self, lock):
        """Whether somebody sleeps in flock(2) on it: a line with an arrow, which has the inode."""
        inode = (self.state_dir / lock).stat().st_ino
        with open("/proc/locks", encoding="ascii") as table:
            return any("->" in line and f":{inode} " in line for line in table)

    def leftovers(self):
        """What the test has started and lives, or is a zombie of somebody else's."""
        return [
            process
            for process in processes.descendants()
            if process.pid not in self.services and not (process.dead and process.parent == os.getpid())
        ]

    def journals(self):
        runs = self.state_dir / ".runs"
        return sorted(runs.iterdir()) if runs.exists() else []

    def nothing_left(self):
        """Nobody is there any more, no lock is held, no file of a run is left."""
        try:
            self.wait_until("nobody is left", lambda: not self.leftovers())
        except AssertionError:
            self.fail("left behind:\n" + "\n".join(f"{process}"[:200] for process in self.leftovers()))
        self.nothing_held()

    def nothing_held(self):
        """At once: when finally-run has returned, its locks are free and its files gone."""
        locks = [path.name for path in self.state_dir.iterdir() if path.is_file() and self.is_locked(path)]
        self.assertEqual(locks, [], "locks still held")
        self.assertEqual(self.journals(), [], "files of runs")
        self.assertEqual(list(self.tmp.iterdir()), [], "temporary files")

    def _end_everybody(self):
        ours = {program.pid for program in self.programs}
        while True:
            living = [process for process in processes.descendants() if not process.dead]
            for process in living:
                processes.kill(process.pid)
            processes.reap(ours)
            if not living:
                break
            time.sleep(0.001)
        for program in self.programs:
            program.release()
