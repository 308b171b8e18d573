"""finally-run under and over the other programs that start programs: xargs, nohup, setsid, timeout, sudo, cron."""

import os
import re
import signal

import processes
from program import CTRL_C
from scenario import Scenario, need

HANGS = "#!/bin/sh\necho READY\nexec sleep 1000\n"
SAYS = "sleep .1; echo $FINALLY_RUN_RESULT >>result"


class Wrapped(Scenario):
    def setUp(self):
        self.write("hangs", HANGS, mode=0o755)

    def start_hanging(self, *words, **options):
        """One finally-run somewhere in `words`, whose command is ./hangs."""
        run = self.start(*words, **options)
        run.wait_for("READY")
        self.assertTrue(self.is_locked("l"))
        return run

    def ended(self, result):
        self.nothing_left()
        self.assertEqual(self.read("result"), result + "\n")

    def run_of(self, *words):
        return ("finally-run", "--lock", "l", "-c", SAYS, *words)



class Xargs(Wrapped):
    def test_xargs_starts_four_at_once_and_each_cleans_up(self):
        words = ("finally-run", "-c", "echo down", "--", "echo")
        run = self.run_program("xargs", "-P4", "-n1", *words, stdin="1 2 3 4 5 6 7 8\n")
        self.assertEqual((run.status, run.err), (0, "down\n" * 8))
        self.assertEqual(sorted(run.out.split()), list("12345678"))

    def test_xargs_with_a_lock_takes_turns(self):
        # mkdir fails if somebody else is in.
        words = ("finally-run", "--lock", "l", "-c", "rmdir in", "--", "sh", "-c", "mkdir in && echo $0")
        run = self.run_program("xargs", "-P4", "-n1", *words, stdin="1 2 3 4\n")
        self.assertEqual((run.status, run.err), (0, ""))
        self.assertEqual(sorted(run.out.split()), list("1234"))

    def test_ctrl_c_is_typed_at_xargs(self):
        self.write("names", "1 2 3 4\n")
        run = self.start("sh", "-c", f"xargs -a names -P4 -n1 finally-run -c '{SAYS}' -- ./hangs", terminal=True)
        for _ in range(4):
            run.wait_for("READY")
        run.type(CTRL_C)
        run.finish()
        self.ended("\n".join(["stopped"] * 4))


class Sessions(Wrapped):
    def test_nohup_lives_through_the_hang_up(self):
        run = self.start("bash", "--norc", "-i", terminal=True)
        run.type(f"nohup finally-run --lock l -c '{SAYS}' -- ./hangs >out 2>&1 </dev/null &\n")
        self.wait_for_text("out", "READY")
        supervisor = self.find_run()
        run.close()
        run.wait()
        self.assertTrue(processes.alive(supervisor.pid))
        self.assertTrue(self.is_locked("l"))
        processes.kill(supervisor.pid, signal.SIGTERM)
        self.ended("stopped")

    def test_without_nohup_the_hang_up_stops_it(self):
        run = self.start("bash", "--norc", "-i", terminal=True)
        run.type(f"finally-run --lock l -c '{SAYS}' -- ./hangs\n")
        run.wait_for("READY")
        run.close()
        run.wait()
        self.ended("stopped")

    def test_setsid_outside_and_inside(self):
        run = self.start_hanging("setsid", "--wait", *self.run_of("setsid", "--wait", "./hangs"))
        processes.kill(self.find_run().pid, signal.SIGTERM)
        # What has made a session of its own is a cleanup's to stop, or that of --orphans kill.
        run.wait()
        self.assertEqual(self.read("result"), "stopped\n")
        self.assertFalse(self.is_locked("l"))
        for process in self.find("sleep 1000"):
            processes.kill(process.pid)

    def test_orphans_kill_stops_what_has_made_a_session_of_its_own(self):
        run = self.start_hanging(*self.run_of("--orphans", "kill", "--", "setsid", "--wait", "./hangs"))
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish(), 143)
        self.nothing_held()
        self.assertEqual(self.leftovers(), [])


class Timeout(Wrapped):
    def test_timeout_outside(self):
        run = self.start_hanging("timeout", "2", *self.run_of("./hangs"))
        self.assertEqual(run.finish(), 124)
        self.ended("stopped")

    def test_timeout_outside_that_kills(self):
        run = self.start_hanging("timeout", "-s", "KILL", "2", *self.run_of("./hangs"))
        run.finish()
        self.ended("lost")

    def test_timeout_inside(self):
        run = self.start_hanging(*self.run_of("timeout", "2", "./hangs"))
        self.assertEqual(run.finish(), 124)
        self.ended("failure")

    def test_timeout_inside_is_stopped_from_outside(self):
        run = self.start_hanging(*self.run_of("timeout", "60", "./hangs"))
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish(), 143)
        self.ended("stopped")

    def test_timeout_outside_while_waiting_for_the_lock(self):
        holder = self.start_hanging(*self.run_of("./hangs"))
        waiter = self.run_program("timeout", ".2", *"finally-run --lock l -s never -c never -- never".split())
        self.assertEqual((waiter.status, waiter.out, waiter.err), (124, "", ""))
        holder.signal(signal.SIGTERM)
        holder.finish()
        self.ended("stopped")


class Sudo(Wrapped):
    @classmethod
    def setUpClass(cls):
        cls.sudo = need("sudo", "sudo")

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0 and self.run_program(self.sudo, "-n", "true").status != 0:
            self.skipTest("sudo asks for a password")
        # sudo keeps neither PATH nor the rest.
        self.words = (self.sudo, "-n", "env", *(f"{name}={value}" for name, value in self.env.items()))

    def test_outside(self):
        words = ("finally-run", "-c", "echo cleaned; id -u", "--", "sh", "-c", "id -u; exit 7")
        run = self.run_program(*self.words, *words)
        self.assertEqual((run.status, run.out), (7, "0\n"))
        self.assertTrue(run.err.endswith("cleaned\n0\n"), run.err)

    def test_outside_is_stopped(self):
        run = self.start_hanging(*self.words, *self.run_of("./hangs"))
        run.signal(signal.SIGTERM)
        run.finish()
        self.ended("stopped")

    def test_outside_with_ctrl_c(self):
        run = self.start_hanging(*self.words, *self.run_of("./hangs"), terminal=True)
        run.type(CTRL_C)
        run.finish()
        self.ended("stopped")

    def test_outside_is_killed(self):
        run = self.start_hanging(*self.words, *self.run_of("--stop-with-caller", "always", "--", "./hangs"))
        run.signal(signal.SIGKILL)
        run.finish()
        self.ended("caller-gone")

    def test_inside_is_stopped(self):
        run = self.start_hanging(*self.run_of(*self.words, "./hangs"))
        run.signal(signal.SIGTERM)
        run.finish()
        self.ended("stopped")

    def test_inside_on_a_terminal_is_stopped(self):
        # Here it shares finally-run's process group, whose signals sudo may take for its command's and not pass on.
        run = self.start_hanging(*self.run_of(*self.words, "./hangs"), terminal=True)
        run.signal(signal.SIGTERM)
        run.finish()
        self.ended("stopped")

    def test_inside_with_ctrl_c(self):
        run = self.start_hanging(*self.run_of(*self.words, "./hangs"), terminal=True)
        run.type(CTRL_C)
        self.assertEqual(run.finish(), 130)
        # With a terminal of its own for the command (use_pty) sudo reads the key, else the whole group gets the signal.
        self.nothing_left()
        self.assertIn(self.read("result"), ("signal\n", "stopped\n"))

    def test_inside_when_finally_run_is_killed(self):
        run = self.start_hanging(*self.run_of(*self.words, "./hangs"))
        run.signal(signal.SIGKILL)
        run.finish()
        self.ended("lost")


class Cron(Scenario):
    """cron starts the rest of a line with /bin/sh, little environment and no terminal."""

    def start_line(self):
        line = re.fullmatch(r"(?:\S+ ){5}(?P<command>.*)\n", self.recipe("cron"))["command"]
        # The paths of the recipe are this test's here, and nobody else's.
        where = f'mount --bind {self.bin} /usr/local/bin && mount --bind {self.tmp} /var/tmp && exec "$@"'
        become_root = () if os.geteuid() == 0 else ("--map-root-user",)
        env = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "TMPDIR": None, "TERM": None, "LC_ALL": None}
        return self.start("unshare", "--mount", *become_root, "sh", "-c", where, "-", "/bin/sh", "-c", line, env=env)

    def test_backs_up_and_removes_what_is_half_done(self):
        self.program("backup", "touch /var/tmp/part; echo saved")
        run = self.start_line()
        self.assertEqual((run.finish(), run.out, run.err), (0, "saved\n", ""))
        self.nothing_held()

    def test_leaves_without_a_word_while_the_last_one_runs(self):
        self.program("backup", "touch /var/tmp/part; echo READY; exec sleep 1000")
        first = self.start_line()
        first.wait_for("READY")
        second = self.start_line()
        self.assertEqual((second.finish(), second.out, second.err), (0, "", ""))
        self.assertTrue((self.tmp / "part").exists())
        processes.kill(self.find_run().pid, signal.SIGTERM)
        first.finish()
        self.nothing_left()
