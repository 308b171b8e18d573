"""finally-run itself with a lock at an engine, and a real server behind it. Two state directories are two machines."""

import os
import shlex
import signal
import socket
import time

import processes
from lock_helper import LIBEXEC
from network import IFF_UP, set_loopback

# A line every 50 ms while either is at work, without a process for each.
TICKS = """#!/bin/bash
exec 3<> <(:)
tick() { echo "tick $MACHINE" >>log; read -rt .05 -u3 || true; }
"""
DEPLOY = f"""{TICKS}
echo "in $MACHINE $FINALLY_RUN_LOCK_TOKEN $EPOCHREALTIME" >>log
while test -e "go $MACHINE"; do tick; done
exit "$(cat "status $MACHINE")"
"""
ROLLBACK = f"""{TICKS}
echo "rollback $MACHINE: $FINALLY_RUN_RESULT, $FINALLY_RUN_BY, $FINALLY_RUN_LOCK" >>log
for _ in 1 2 3 4 5 6; do tick; done
"""


class Race:
    """For one lock: "first" holds it and "second" waits, in a directory of their own."""

    def __init__(self, test, name="deploy", ttl=None):
        self.test = test
        self.name = name
        self.ttl = ttl or test.ttl
        self.dir = test.work / name
        self.dir.mkdir()
        for program, text in (("deploy", DEPLOY), ("rollback", ROLLBACK)):
            test.write(f"{name}/{program}", text, 0o755)

    def start(self, machine, *prefix):
        state = self.test.dir / f"state.{self.name}.{machine}"
        state.mkdir(mode=0o700, exist_ok=True)
        (self.dir / f"go {machine}").touch()
        env = {
            "PATH": f"{LIBEXEC}:{self.test.env['PATH']}",
            "MACHINE": machine,
            "ORDER": str(self.order(machine)),
            "FINALLY_RUN_STATE_DIR": str(state),
            "FINALLY_RUN_LOCK_TTL": str(self.ttl),
            "FINALLY_RUN_GRACE": "1",
        }
        words = shlex.split(self.test.line(), comments=True)
        words[2] = words[2].removesuffix("deploy") + self.name
        return self.test.start(*prefix, *words, cwd=self.dir, env=env)

    def start_first(self, *prefix):
        self.first = self.start("first", *prefix)
        self.wait_for("tick first")

    def start_second(self):
        self.second = self.start("second")

    def order(self, machine):
        return self.dir / f"order {machine}"

    def wait_for(self, text):
        self.test.wait_for_text(f"{self.name}/log", text)

    def log(self):
        return self.test.read(f"{self.name}/log").splitlines()

    def end(self, machine, status=0):
        """Of its command, by itself."""
        self.test.write(f"{self.name}/status {machine}", str(status))
        (self.dir / f"go {machine}").unlink()

    def second_is_in(self, after_the_first=True):
        """... and has done its work."""
        self.wait_for("in second")
        self.end("second")
        self.test.assertEqual(self.second.finish(), 0, f"{self.name}: {self.second.transcript()}")
        log = self.log()
        entered = next(number for number, line in enumerate(log) if line.startswith("in second"))
        if after_the_first:
            self.test.assertNotIn("tick first", log[entered:], self.name)
        tokens = [int(line.split()[2]) for line in log if line.startswith("in ")]
        self.test.assertLess(tokens[0], tokens[1], self.name)
        return log

    def bystander(self, name):
        """The guardian or the keeper of the first."""
        runs = self.test.dir / f"state.{self.name}.first" / ".runs"
        run = next(runs.glob("*.journal")).stem
        return self.test.wait_until(
            f"there is {name} of {self.name}",
            # Whoever waits for it has that run in its name, too.
            lambda: [process for process in self.test.find(f"of run {run}") if process.words.startswith(name)],
        )[0].pid

    def helper(self):
        """Of the first. Not one of its subshells, which come and go."""
        below = processes.descendants(self.bystander("finally-keeper"))
        return next(process.pid for process in below if process.pid == process.session)

    def kill(self, *victims):
        """Of the first, at once: one must not see the end of the other."""
        for number in (signal.SIGSTOP, signal.SIGKILL) if len(victims) > 1 else (signal.SIGKILL,):
            for pid in victims:
                os.kill(pid, number)


# What is done to the first while the second waits: its status, and how its cleanup runs.
ROWS = {
    "failure": (lambda race: race.end("first", 3), 3, "failure, supervisor, held"),
    "term": (lambda race: race.first.signal(signal.SIGTERM), 143, "stopped, supervisor, held"),
    "supervisor-killed": (lambda race: race.kill(race.first.pid), 137, "lost, guardian, held"),
    "both-killed": (
        lambda race: race.kill(race.first.pid, race.bystander("finally-guard")),
        137,
        "lost, keeper, held",
    ),
}
# The same, where the engine keeps the lock for a TTL.
LOST = {
    "keeper-killed": lambda race: race.kill(race.bystander("finally-keeper")),
    "helper-killed": lambda race: race.kill(race.helper()),
}
# One goes on after all of these.
HARMLESS = (
    lambda race: race.kill(race.bystander("finally-guard")),
    lambda race: os.kill(race.helper(), signal.SIGSTOP),
)


class Runs:
    """A mix-in, like lock_helper.Behaviour."""

    ttl = 8
    loses_with_client = False

    def line(self):
        """The recipe for this engine."""
        raise NotImplementedError

    def signal_client(self, race, number):
        """The engine's client of the first, which then hears of its engine again: two such in a row lose the lock."""
        self.order(race.order("first"), number)
        for _ in range(2):  # the second client begins when the first has had its answer
            self.order(race.order("first"), signal.SIGCONT)

    def servers(self):
        """Their processes."""
        return [self.server.pid]

    def signal_servers(self, number):
        for pid in self.servers():
            processes.kill(pid, number)

    def restart_server(self):
        self.server.signal(self.server_end)
        self.server.wait()
        self.start_server()

    def race(self, *words, **options):
        race = Race(self, *words, **options)
        race.start_first()
        race.start_second()
        race.second.wait_for_err("waiting")
        return race

    def ended(self, race, status, rollback):
        """The first."""
        self.assertEqual(race.first.finish(), status, f"{race.name}: {race.first.transcript()}")
        self.wait_until("its cleanup has begun", lambda: any(line.startswith("rollback") for line in race.log()))
        self.assertIn(f"rollback first: {rollback}", race.log(), race.name)

    def lost(self, race):
        self.ended(race, 121, "lock-lost, supervisor, lost")

    def test_the_waiter_is_told_who_holds_it_and_comes_next(self):
        race = self.race()
        race.second.wait_for_err("./deploy")
        self.assertIn(socket.gethostname(), race.second.err)
        race.end("first")
        self.ended(race, 0, "success, supervisor, held")
        race.second_is_in()
        self.assertNotIn("has not cleaned up", race.second.err)

    def test_whatever_is_done_to_the_first_all_of_it_is_over_before_the_second_is_in(self):
        self.take_orders()
        clients = {
            f"client-{signal.Signals(number).name}": lambda race, number=number: self.signal_client(race, number)
            for number in (signal.SIGKILL, signal.SIGSTOP)
        }
        lost = {**LOST, **(clients if self.loses_with_client else {})}
        harmless = [*HARMLESS, *([] if self.loses_with_client else clients.values())]
        # These take a TTL. Meanwhile the others, one by one: together they would be too many for a small machine.
        slow = {name: self.race(name) for name in ("harmless", *lost)}
        began = {}
        for name, deed in lost.items():
            began[name] = time.time()
            deed(slow[name])
        for name, (deed, status, rollback) in ROWS.items():
            if harmless:
                harmless.pop()(slow["harmless"])
                disturbed = time.monotonic()
            race = self.race(name)
            deed(race)
            self.ended(race, status, rollback)
            race.second_is_in()
        for name, since in began.items():
            race = slow[name]
            self.lost(race)
            entered = next(line for line in race.second_is_in() if line.startswith("in second"))
            self.measured(f"{name}: until the next is in", float(entered.split()[-1]) - since)
        race = slow["harmless"]
        self.wait_until("it would have given up", lambda: time.monotonic() > disturbed + race.ttl)
        race.end("first")
        self.ended(race, 0, "success, supervisor, held")
        race.second_is_in()

    def test_a_server_that_is_away_for_a_moment_loses_nothing_and_one_that_is_gone_the_lock(self):
        race = self.race("long", ttl=12)
        short = Race(self, "short", ttl=4)
        short.start_first()
        began = time.monotonic()
        self.signal_servers(signal.SIGSTOP)
        self.lost(short)
        self.measured("server stopped: until all is clean", time.monotonic() - began)
        time.sleep(max(0, began + 3 - time.monotonic()))
        self.signal_servers(signal.SIGCONT)
        self.restart_server()
        short.start_second()
        short.second_is_in()
        self.assertNotIn("in second", "\n".join(race.log()))
        began = time.monotonic()
        self.signal_servers(signal.SIGKILL)
        self.lost(race)
        self.measured("server gone: until all is clean", time.monotonic() - began)
        self.assertNotIn(race.second.finish(), (0, 75))
        self.assertNotIn("in second", "\n".join(race.log()))

    def test_a_network_that_is_cut_for_longer_than_the_ttl_is_a_lost_lock_and_a_shorter_time_none(self):
        short = Race(self, "short", ttl=4)
        short.start_first()
        self.wait_until_unclean()
        race = self.race("long", ttl=24)
        began = time.monotonic()
        set_loopback(0)
        try:
            self.lost(short)
            self.measured("network cut: until all is clean", time.monotonic() - began)
            time.sleep(max(0, began + short.ttl + 1 - time.monotonic()))
        finally:
            set_loopback(IFF_UP)
        short.start_second()
        short.second_is_in()
        self.assertIn("its last holder has not cleaned up", short.second.err)
        race.end("first")
        self.ended(race, 0, "success, supervisor, held")
        race.second_is_in()

    def test_a_machine_that_vanished_is_cleaned_up_after_by_the_next_one(self):
        race = Race(self)
        race.start_first()
        self.wait_until_unclean()
        began = time.monotonic()
        self.take_away_the_machine()
        race.first.finish()
        race.start_second()
        self.assertIn("rollback second: lost, next-holder, held", race.second_is_in())
        self.assertIn("its last holder has not cleaned up", race.second.err)
        self.assertEqual(race.log()[-7], "rollback second: success, supervisor, held")
        self.measured("a machine gone: until the next is out", time.monotonic() - began)
        self.assertFalse(self.unclean())

    def take_away_the_machine(self):
        """All at once: first nobody moves any more. Sessions of sshd are on the other machine."""
        there = {process.pid for pid in self.services for process in processes.descendants(pid)} | self.services
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in self.find(""):
                if process.pid not in there:
                    processes.kill(process.pid, number)
