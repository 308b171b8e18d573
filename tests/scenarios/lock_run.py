"""finally-run itself with a lock at an engine, and a real server behind it. Two state directories are two machines."""

import contextlib
import os
import shlex
import signal
import socket
import time

import processes
from lock_helper import LIBEXEC

DEPLOY = """#!/bin/sh
echo "in $MACHINE $FINALLY_RUN_LOCK_TOKEN" >>log
while test -e "go $MACHINE"; do echo "tick $MACHINE" >>log; sleep .05; done
"""

ROLLBACK = """#!/bin/sh
echo "tick $MACHINE" >>log
echo "rollback $MACHINE: $FINALLY_RUN_RESULT, $FINALLY_RUN_BY, $FINALLY_RUN_LOCK" >>log
"""


class Runs:
    """A mix-in, like lock_helper.Behaviour."""

    ttl = 4

    def line(self):
        """The recipe for this engine."""
        raise NotImplementedError

    def deploy(self, machine):
        state = self.dir / f"state.{machine}"
        state.mkdir(mode=0o700, exist_ok=True)
        (self.work / f"go {machine}").touch()
        self.write("deploy", DEPLOY, 0o755)
        self.write("rollback", ROLLBACK, 0o755)
        env = {
            "PATH": f"{LIBEXEC}:{self.env['PATH']}",
            "MACHINE": machine,
            "FINALLY_RUN_STATE_DIR": str(state),
            "FINALLY_RUN_LOCK_TTL": str(self.ttl),
            "FINALLY_RUN_GRACE": "1",
        }
        return self.start(*shlex.split(self.line(), comments=True), env=env)

    def holder_and_waiter(self):
        first = self.deploy("first")
        self.wait_for_text("log", "tick first")
        second = self.deploy("second")
        second.wait_for_err("waiting")
        return first, second

    def log(self):
        return self.read("log").splitlines()

    def second_is_in(self, second):
        """... after the first has done its last."""
        self.wait_for_text("log", "in second")
        (self.work / "go second").unlink()
        self.assertEqual(second.finish(), 0, second.transcript())
        log = self.log()
        entered = next(number for number, line in enumerate(log) if line.startswith("in second"))
        self.assertNotIn("tick first", log[entered:])
        tokens = [int(line.split()[2]) for line in log if line.startswith("in ")]
        self.assertLess(tokens[0], tokens[1])
        return log[:entered]

    def helper_of(self, run):
        """Not one of its subshells, which come and go."""
        helpers = [helper for helper in processes.descendants(run.pid) if helper.pid == helper.session]
        return next(helper for helper in helpers if f"finally-run-lock-{self.engine}" in helper.words)

    def test_the_waiter_is_told_who_holds_it_and_comes_next(self):
        first, second = self.holder_and_waiter()
        second.wait_for_err("./deploy")
        self.assertIn(socket.gethostname(), second.err)
        (self.work / "go first").unlink()
        self.assertEqual(first.finish(), 0, first.transcript())
        self.assertIn("rollback first: success, supervisor, held", self.second_is_in(second))
        self.assertNotIn("has not cleaned up", second.err)

    def test_a_lost_lock_stops_the_command_and_is_said(self):
        first, second = self.holder_and_waiter()
        began = time.monotonic()
        os.kill(self.helper_of(first).pid, signal.SIGKILL)
        self.assertEqual(first.finish(), 121, first.transcript())
        self.assertIn("rollback first: lock-lost, supervisor, lost", self.log())
        self.measured("a killed helper: until all is clean", time.monotonic() - began)
        self.second_is_in(second)
        self.measured("a killed helper: until the next is in", time.monotonic() - began)

    def test_when_supervisor_and_guardian_are_killed_the_keeper_cleans_up(self):
        first = self.deploy("first")
        self.wait_for_text("log", "tick first")
        began = time.monotonic()
        # The one must not see the end of the other.
        supervisor, guardian = self.find_run(), next(process for process in self.find("") if process.is_guardian)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in (supervisor, guardian):
                os.kill(process.pid, number)
        first.finish()
        second = self.deploy("second")
        self.assertIn("rollback first: lost, keeper, held", self.second_is_in(second))
        self.measured("supervisor and guardian killed: until the next is out", time.monotonic() - began)

    def test_a_machine_that_vanished_is_cleaned_up_after_by_the_next_one(self):
        first = self.deploy("first")
        self.wait_for_text("log", "tick first")
        self.wait_until_unclean()
        began = time.monotonic()
        self.take_away_the_machine()
        first.finish()
        second = self.deploy("second")
        self.assertIn("rollback second: lost, next-holder, held", self.second_is_in(second))
        self.assertIn("its last holder has not cleaned up", second.err)
        self.assertEqual(self.log()[-1], "rollback second: success, supervisor, held")
        self.measured("a machine gone: until the next is out", time.monotonic() - began)
        self.assertFalse(self.unclean())

    def take_away_the_machine(self):
        """All at once: first nobody moves any more. Sessions of sshd are on the other machine."""
        there = {process.pid for pid in self.services for process in processes.descendants(pid)} | self.services
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in self.find(""):
                if process.pid not in there:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, number)
