"""A lock helper as a program of its own, and what must be so of each of them, with a real server behind it."""

import os
import pathlib
import signal
import threading
import time

import processes
from network import IFF_UP, set_loopback
from program import Program
from scenario import Scenario

LIBEXEC = pathlib.Path(__file__).resolve().parents[2] / "src" / "libexec"


class Helper:
    """Started by `contend`. Its lines are read as they come, by a thread that notes when."""

    def __init__(self, program, ttl):
        self.program = program
        self.pid = program.pid
        self.ttl = ttl
        self.lines = []  # (when, line)
        self.ended = None  # when its stdout was closed
        self._changed = threading.Condition()
        # The thread reads a duplicate, so that the program may be released at any time.
        self._out = os.fdopen(os.dup(program._files["out"].fileno()))
        program.close("out")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self._out:
            for line in self._out:
                self._note(line.rstrip("\n"))
        self._note(None)

    def _note(self, line):
        with self._changed:
            if line is None:
                self.ended = time.monotonic()
            else:
                self.lines.append((time.monotonic(), line))
            self._changed.notify_all()

    def wait_for(self, start):
        """The rest of the first line that starts so, and when it came."""

        def found():
            return next(((line[len(start) :], when) for when, line in self.lines if line.startswith(start)), None)

        return self._wait(found, f"a line {start!r}")

    def wait_for_end(self):
        """When its stdout was closed."""
        return self._wait(lambda: self.ended, "its end")

    def _wait(self, found, what):
        with self._changed:
            self._changed.wait_for(lambda: found() or self.ended, max(0, self.program.deadline - time.monotonic()))
            result = found()
        if not result:
            why = "it has ended" if self.ended else "not in time"
            self.program.finishes_within(0.1)  # for what it has written to stderr
            raise AssertionError(f"waited for {what}: {why}\n{self.said()}\n{self.program.transcript()}")
        return result

    def said(self):
        return [line for _, line in self.lines]

    def has_said(self, start):
        return any(line.startswith(start) for line in self.said())

    def held(self):
        """The token, and when."""
        token, when = self.wait_for("held ")
        return int(token), when

    def write(self, line):
        self.program.type(f"{line}\n")

    def leave(self):
        """stdin ends: the status."""
        self.program.close_stdin()
        return self.finish()

    def finish(self):
        """The status, once its last line has been read."""
        status = self.program.finish()
        self.wait_for_end()
        return status

    def last_error(self):
        return (self.program.err.splitlines() or [""])[-1]


class LockHelper(Scenario):
    """Below it stands a class for each engine, which starts its server in setUp."""

    engine = None  # the helper's last name
    ttl = 12  # for who does not want to see its end
    short_ttl = 4
    foreign = "ü"  # what the engine keeps of other people's alphabets

    def helper(self):
        return LIBEXEC / f"finally-run-lock-{self.engine}"

    def contend(self, name="deploy", *, holder="somebody", wait="", mode="exclusive", ttl=None, env=None):
        variables = {
            "FINALLY_RUN_LOCK_HOLDER": holder,
            "FINALLY_RUN_LOCK_WAIT": str(wait),
            "FINALLY_RUN_LOCK_TTL": str(ttl or self.ttl),
            "FINALLY_RUN_LOCK_MODE": mode,
            **(env or {}),
        }
        program = self.start(str(self.helper()), name, stdin="", env=variables)
        return Helper(program, ttl or self.ttl)

    def hold(self, *words, **options):
        helper = self.contend(*words, **options)
        helper.held()
        return helper

    def take_orders(self, real, before=""):
        """Each client of the engine's, which `real` is, first gives itself the signal that the file $ORDER has, once."""
        (self.bin / self.client[0]).unlink(missing_ok=True)
        take = 'if mv "${ORDER-}" "$ORDER.taken" 2>/dev/null; then kill -"$(cat "$ORDER.taken")" $$; fi'
        self.program(self.client[0], f'{before}\n{take}\nexec {real} "$@"')

    def order(self, file, number):
        new = file.with_name("new order")
        new.write_text(signal.Signals(number).name.removeprefix("SIG"))
        new.rename(file)
        self.wait_until(f"a client has got {number}", lambda: not file.exists())

    def take_part(self):
        """All that a helper can do, once."""
        helper = self.hold()
        waiter = self.contend()
        waiter.wait_for("waiting ")
        self.assertEqual(waiter.leave(), 0)
        helper.write("begin x")
        helper.write("clean")
        self.assertEqual(helper.leave(), 0)

    def go_on(self, first, second):
        """The holder still is one, and the waiter the next."""
        first.write("begin x")
        self.wait_until_unclean()
        self.assertEqual(first.leave(), 0, first.program.transcript())
        second.held()
        self.assertEqual(second.said()[-2], "unclean x")
        self.assertEqual(second.leave(), 0)

    def measured(self, what, seconds):
        """For who reads the log."""
        print(f"    {self.engine}: {what}: {seconds:.2f} s", flush=True)

    def wait_until(self, what, holds):
        """Less often than elsewhere: it takes seconds, and each look may cost a process."""
        return super().wait_until(what, lambda: holds() or time.sleep(0.05))

    def wait_until_unclean(self):
        self.wait_until("the mark is there", self.unclean)

    def is_free(self, name="deploy"):
        """Somebody new has it, does nothing and leaves: what it was told."""
        helper = self.hold(name)
        self.assertEqual(helper.leave(), 0)
        return helper.said()

    def ends_before(self, first, second, what):
        """No work of the first beside the second: it has ended, or was told to, before."""
        _, held = second.held()
        ended = first.wait_for_end()
        self.assertLess(ended, held, what)
        self.measured(f"{what}: from the end of the first to the second", held - ended)

    def gives_up(self, first, second, what, since):
        """The first ends by itself, well before the second is in."""
        first.wait_for_end()
        self.measured(f"{what}: until it gives up", first.ended - since)
        self.assertNotIn(first.program.finish(), (0, 75))
        self.assertRegex(first.last_error(), "the lock was (lost|given up)")
        if second:
            self.ends_before(first, second, what)
            self.assertEqual(second.leave(), 0)

    def keeps_it(self, first, second, what, since):
        """For whoever still works for the first: what was killed then had been in contact for the last TTL/2."""
        _, held = second.held()
        self.measured(f"{what}: until the second is in", held - since)
        self.assertGreater(held - since, first.ttl / 2, what)


class Shared:
    """What the helper of an engine that has shared locks must do besides. A mix-in, like Behaviour."""

    def test_shared_holders_are_in_at_once(self):
        first = self.contend(mode="shared", holder="first")
        second = self.contend(mode="shared", holder="second")
        tokens = {first.held()[0], second.held()[0]}
        self.assertEqual(len(tokens), 2)
        first.write("begin first")
        self.wait_until_unclean()
        # Who is at work is not unclean for somebody beside it.
        third = self.hold(mode="shared")
        self.assertFalse(third.has_said("unclean"))
        alone = self.contend()
        alone.wait_for("waiting ")
        for helper in (first, second, third):
            self.assertEqual(helper.leave(), 0)
        alone.held()
        self.assertEqual(alone.said()[-2], "unclean first")
        self.assertEqual(alone.leave(), 0)


class OwnServer:
    """What a helper must do without the server, which the test has started. A mix-in, like Behaviour."""

    server_end = None  # the signal that ends it
    unanswered = None  # what the helper says then

    def test_a_server_that_is_gone(self):
        first = self.hold(ttl=self.short_ttl)
        waiter = self.contend(ttl=self.short_ttl)
        waiter.wait_for("waiting ")
        since = time.monotonic()
        self.server.signal(self.server_end)
        self.server.wait()
        late = [self.contend(wait=wait, ttl=self.short_ttl) for wait in ("", "0")]
        self.gives_up(first, None, "server gone", since)
        for helper in (waiter, *late):
            self.assertNotIn(helper.finish(), (0, 75))
            self.assertRegex(helper.last_error(), self.unanswered)
            self.assertFalse(helper.has_said("held"))
        # Whoever comes when it is back must not wait for what is over.
        self.start_server()
        self.is_free()


class Behaviour:
    """What each engine's helper must do. A mix-in, so that it is not played by itself."""

    def test_a_free_lock_is_had_and_released(self):
        began = time.monotonic()
        helper = self.contend()
        _, held = helper.held()
        self.measured("a free lock", held - began)
        self.assertEqual(helper.leave(), 0)
        self.assertRegex("\n".join(helper.said()), r"\Aheld \d+\ndone\Z")
        self.assertEqual(helper.program.err, "")

    def test_term_releases_also_if_all_of_its_processes_get_it(self):
        for signal_it in (Program.signal, Program.signal_group):
            helper = self.hold()
            signal_it(helper.program, signal.SIGTERM)
            self.assertEqual(helper.finish(), 0)
            self.assertEqual(helper.said()[-1], "done")
        self.is_free()

    def test_a_waiter_says_who_holds_it_and_is_next_with_a_higher_token(self):
        text = 'host "a\\b" $(touch x) `id` it\'s %s ' + self.foreign
        first = self.contend(holder=text)
        token, _ = first.held()
        second = self.contend(holder="second")
        self.assertEqual(second.wait_for("waiting ")[0], text)
        left = time.monotonic()
        self.assertEqual(first.leave(), 0)
        next_token, held = second.held()
        self.measured("handed over", held - left)
        self.assertGreater(next_token, token)
        third = self.contend()
        self.assertEqual(third.wait_for("waiting ")[0], "second")
        # A waiter that leaves is none.
        self.assertEqual(third.leave(), 0)
        self.assertFalse(third.has_said("held"))
        self.assertEqual(second.leave(), 0)

    def test_a_lock_that_is_not_free_in_time_is_75(self):
        first = self.hold(holder="the first")
        for wait in ("0", "0.3"):
            second = self.contend(wait=wait)
            self.assertEqual(second.program.finish(), 75, second.program.transcript())
            if wait == "0":
                self.assertEqual(second.last_error(), "held by the first")
            self.assertFalse(second.has_said("held"))
        self.assertEqual(first.leave(), 0)
        third = self.hold(wait=0)
        self.assertEqual(third.leave(), 0)

    def test_contenders_are_never_in_at_once(self):
        contenders = [self.contend(holder=f"number {number}") for number in range(4)]
        turns = []
        for _ in contenders:
            in_it = self.wait_until(
                "one is in", lambda: [c for c in contenders if c.has_said("held") and c not in [t[0] for t in turns]]
            )
            self.assertEqual(len(in_it), 1)
            token, held = in_it[0].held()
            for _, left, earlier in turns:
                self.assertLess(left, held)
                self.assertLess(earlier, token)
            turns.append((in_it[0], time.monotonic(), token))
            self.assertEqual(in_it[0].leave(), 0)

    def test_what_was_left_unclean_is_told_to_the_next_holders_until_it_is_clean(self):
        first = self.hold()
        text = 'run 7 "on" $(host) `a\\b` it\'s -- %s'
        first.write(f"begin {text}")
        self.assertEqual(first.leave(), 0)
        # Who has not begun has cleaned up nothing.
        self.assertEqual(self.is_free()[0], f"unclean {text}")
        second = self.hold()
        self.assertEqual(second.said()[0], f"unclean {text}")
        second.write("begin another")
        second.write("clean")
        self.assertEqual(second.leave(), 0)
        self.assertRegex(self.is_free()[0], r"\Aheld ")

    def test_names_are_foreign_text(self):
        worst = "'\"`touch x`$(touch x);%s\\"
        names = ["a b", worst, "a/b", "a", "..", "-n", "ü"]
        # All at once: none is another.
        helpers = [self.contend(self.named(name)) for name in names]
        for helper in helpers:
            helper.held()
        waiter = self.contend(self.named(worst))
        waiter.wait_for("waiting ")
        self.assertEqual(waiter.leave(), 0)
        for helper in helpers:
            self.assertEqual(helper.leave(), 0)
        self.assertEqual(list(self.work.iterdir()), [])
        for name in ("", "a\nb"):
            refused = self.contend(self.named(name))
            self.assertNotIn(refused.program.finish(), (0, 75))
            self.assertRegex(refused.program.err, r"\A.*NAME.*\n\Z")

    def named(self, name):
        return name

    def test_wrong_settings_and_a_missing_client_are_one_line(self):
        client, package = self.client
        programs = ("sh", "tr", "od", "readlink", "dirname", "mktemp", "mkfifo", "rm", "sleep", "timeout", "sed")
        empty = self.dir / "empty"
        empty.mkdir()
        for program in programs:
            (empty / program).symlink_to(f"/usr/bin/{program}")
        for env, words in (
            ({"PATH": str(empty)}, (client, f"apt-get install {package}")),
            ({"FINALLY_RUN_LOCK_TTL": "x"}, ("FINALLY_RUN_LOCK_TTL", "'x'")),
            ({"FINALLY_RUN_LOCK_TTL": "0"}, ("FINALLY_RUN_LOCK_TTL", "'0'")),
            ({"FINALLY_RUN_LOCK_WAIT": "1m"}, ("FINALLY_RUN_LOCK_WAIT", "'1m'")),
            ({"FINALLY_RUN_LOCK_MODE": "both"}, ("FINALLY_RUN_LOCK_MODE", "'both'")),
        ):
            helper = self.contend(self.named("deploy"), env=env)
            self.assertNotIn(helper.program.finish(), (0, 75))
            self.assertRegex(helper.program.err, r"\A[^\n]+\n\Z")
            for word in words:
                self.assertIn(word, helper.program.err)

    def test_a_killed_helper_leaves_no_process_and_the_lock_for_its_ttl(self):
        first = self.hold(ttl=self.short_ttl)
        first.write("begin a run")
        second = self.contend()
        second.wait_for("waiting ")
        self.wait_until_unclean()
        killed = time.monotonic()
        processes.kill(first.pid)
        self.ends_before(first, second, "helper killed")
        self.assertEqual(second.said()[-2], "unclean a run")
        # While its stdin is still open.
        self.wait_until("its children are gone", lambda: not self.children_of(first))
        self.keeps_it(first, second, "helper killed", killed)
        self.assertEqual(second.leave(), 0)

    def client_of(self, helper, part):
        """The engine's own client, once it runs with `part` in its command line."""
        name = self.client[0]
        return self.wait_until(
            f"{name} {part} runs",
            lambda: [p for p in self.children_of(helper) if p.name == name and f"{name} {part}" in p.words],
        )[0]

    def test_it_is_held_for_longer_than_its_ttl(self):
        first = self.contend(ttl=6)
        _, held = first.held()
        second = self.contend(ttl=6)
        second.wait_for("waiting ")
        self.wait_until("the TTL is long over", lambda: time.monotonic() > held + 1.5 * first.ttl)
        self.assertFalse(second.has_said("held"))
        self.assertEqual(first.leave(), 0)
        second.held()
        self.assertEqual(second.leave(), 0)

    def test_a_network_that_is_cut_for_a_moment_loses_nothing(self):
        first = self.hold(ttl=16)
        second = self.contend(ttl=16)
        second.wait_for("waiting ")
        set_loopback(0)
        time.sleep(2)
        set_loopback(IFF_UP)
        self.go_on(first, second)

    def children_of(self, helper):
        return [process for process in processes.descendants() if process.session == helper.pid and not process.dead]

    def test_a_helper_that_was_stopped_for_too_long_has_lost(self):
        first = self.hold(ttl=self.short_ttl)
        first.program.signal(signal.SIGSTOP)
        second = self.contend()
        second.held()
        first.program.signal(signal.SIGCONT)
        self.assertNotIn(first.program.finish(), (0, 75))
        self.assertRegex(first.program.err, r"\Athe lock was (lost|given up)[^\n]*\n\Z")
        # What it leaves behind is not the second's.
        self.assertEqual(second.leave(), 0)
        self.assertEqual(second.said()[-1], "done")
