"""finally-run in Makefiles: as a prefix, as the shell, with a jobserver, and when make is stopped."""

import os
import re
import signal

from program import CTRL_C
from scenario import Scenario, need

# A generator that has written half of it, says so, and never ends.
HANGS = "#!/bin/sh\necho half\necho READY >&2\nexec sleep 1000\n"
# Make 4.3 dies of the signal, or, if a child has died of it before make has looked, of "wait: No child processes".
INTERRUPTED = (130, 2)
WORKS = "#!/bin/sh\ncat $1 $1\n"


class Prefix(Scenario):
    def setUp(self):
        self.write_recipe("make-prefix")
        self.write("data", "data\n")

    def make_report_that_hangs(self, **options):
        self.write("generate", HANGS, mode=0o755)
        make = self.start("make", "report", **options)
        make.wait_for("READY", "out" if options else "err")
        self.assertEqual(self.read("report.part"), "half\n")
        return make

    def nothing_made(self):
        """And the next make makes it."""
        self.assertFalse((self.work / "report").exists())
        self.assertFalse((self.work / "report.part").exists())
        self.write("generate", WORKS, mode=0o755)
        self.assertEqual(self.run_program("make", "report").status, 0)
        self.assertEqual(self.read("report"), "data\ndata\n")

    def test_makes_the_target_once(self):
        self.write("generate", WORKS, mode=0o755)
        self.assertEqual(self.run_program("make", "report").status, 0)
        again = self.run_program("make", "report")
        self.assertIn("'report' is up to date", again.out)

    def test_ctrl_c_is_typed(self):
        make = self.make_report_that_hangs(terminal=True)
        make.type(CTRL_C)
        self.assertIn(make.finish(), INTERRUPTED)
        self.nothing_left()
        self.nothing_made()

    def test_term_to_make(self):
        make = self.make_report_that_hangs()
        make.signal(signal.SIGTERM)
        self.assertEqual(make.wait(), 143)
        self.nothing_held()
        self.nothing_made()

    def test_make_is_killed(self):
        make = self.make_report_that_hangs()
        make.signal(signal.SIGKILL)
        make.finish()
        self.nothing_left()
        self.nothing_made()

    def test_finally_run_is_killed(self):
        make = self.make_report_that_hangs()
        run = self.wait_for_process("finally-run --stop-with-caller always")
        os.kill(run.pid, signal.SIGKILL)
        self.assertEqual(make.finish(), 2)
        self.assertIn("Killed", make.err)
        self.nothing_left()
        self.nothing_made()

    def test_a_failure_leaves_nothing_and_k_goes_on(self):
        self.write("generate", "#!/bin/sh\necho half\nexit 3\n", mode=0o755)
        self.write("library/Makefile", "all:\n\t@echo built\n")
        make = self.run_program("make", "-k", "report", "library")
        self.assertEqual(make.status, 2)
        self.assertIn("Error 3", make.err)
        self.assertIn("built\n", self.read("build.log"))
        self.nothing_made()


# Notes how many of its eight jobs run at once.
LIBRARY = """all: 1 2 3 4 5 6 7 8
1 2 3 4 5 6 7 8:
\t@touch running.$@; ls | grep -c running >>seen; sleep .05; rm running.$@
"""


class Jobserver(Scenario):
    def setUp(self):
        self.write_recipe("make-prefix")
        self.write("library/Makefile", LIBRARY)

    def most_at_once(self):
        return max(map(int, self.read("library/seen").split()))

    def check(self, *options):
        run = self.run_program("make", "-j3", *options, "library")
        self.assertEqual(run.status, 0)
        self.assertNotIn("jobserver", self.read("build.log"))
        self.assertIn(self.most_at_once(), (2, 3))

    def test_a_make_inside_shares_the_jobs(self):
        self.check()

    def test_a_make_inside_shares_the_jobs_of_a_fifo(self):
        version = re.search(r"Make (\d+)\.(\d+)", self.run_program("make", "--version").out)
        if tuple(map(int, version.groups())) >= (4, 4):
            self.check("--jobserver-style=fifo")
        else:
            self.play_the_fifo()

    def play_the_fifo(self):
        """What make 4.4 does: the tokens are bytes in a FIFO, whose path is in MAKEFLAGS."""
        fifo = self.work / "tokens"
        os.mkfifo(fifo)
        tokens = os.open(fifo, os.O_RDWR)
        os.write(tokens, b"++")
        self.program("client", 'fifo=${MAKEFLAGS##*fifo:}\ndd bs=1 count=2 status=none <>"$fifo" | tee -a "$fifo"')
        flags = f" -j3 --jobserver-auth=fifo:{fifo}"
        run = self.run_program("finally-run", "--lock", "l", "-c", "true", "--", "client", env={"MAKEFLAGS": flags})
        self.assertEqual((run.status, run.out), (0, "++"))
        self.assertEqual(os.read(tokens, 10), b"++")
        os.close(tokens)


class Shell(Scenario):
    def setUp(self):
        self.write_recipe("make-shell")
        for name in ("database-up", "database-down"):
            self.write(name, f"#!/bin/sh\necho {name} >>log\n", mode=0o755)

    def make_test_that_hangs(self, **options):
        self.write("run-tests", HANGS, mode=0o755)
        make = self.start("make", "test", **options)
        make.wait_for("READY", "out" if options else "err")
        self.assertTrue(self.is_locked("database"))
        return make

    def brought_down(self, make, *statuses):
        self.assertIn(make.wait(), statuses)
        self.nothing_held()
        self.assertEqual(self.read("log"), "database-up\ndatabase-down\n")

    def test_runs_the_recipe(self):
        self.write("run-tests", "#!/bin/sh\necho $1\n", mode=0o755)
        make = self.start("make", "-s", "test")
        make.finish()
        self.brought_down(make, 0)
        self.assertEqual(make.out, "fast\nslow\n")

    def test_a_failed_line_ends_it(self):
        self.write("run-tests", "#!/bin/sh\necho $1\nexit 3\n", mode=0o755)
        make = self.start("make", "-s", "test")
        make.finish()
        self.brought_down(make, 2)
        self.assertEqual(make.out, "fast\n")

    def test_ctrl_c_is_typed(self):
        make = self.make_test_that_hangs(terminal=True)
        make.type(CTRL_C)
        make.finish()
        self.nothing_left()
        self.brought_down(make, *INTERRUPTED)

    def test_term_to_make(self):
        make = self.make_test_that_hangs()
        make.signal(signal.SIGTERM)
        self.brought_down(make, 143)

    def test_each_line_is_a_run_of_its_own_without_oneshell(self):
        self.write(
            "Makefile",
            "SHELL = finally-run\n"
            ".SHELLFLAGS = --cleanup 'echo \"cleaned up\"' -- sh -c\n"
            "all:\n\t@echo one; exit 0; echo never\n\t@for i in two three; do echo $$i; done\n",
        )
        make = self.run_program("make", "-j2")
        self.assertEqual((make.status, make.out, make.err), (0, "one\ntwo\nthree\n", "cleaned up\n" * 2))


class ManyJobs(Scenario):
    def test_eight_jobs_with_one_lock_take_turns(self):
        targets = "1 2 3 4 5 6 7 8"
        # mkdir fails if somebody else is in.
        recipe = "exec finally-run --lock one -c 'rmdir in' -- sh -c 'mkdir in && echo $@'"
        self.write("Makefile", f"all: {targets}\n{targets}:\n\t@{recipe}\n")
        make = self.run_program("make", "-j8")
        # A slow machine may take more than the second after which a wait is said.
        said = [line for line in make.err.splitlines() if not line.startswith("finally-run: waiting ")]
        self.assertEqual((make.status, said), (0, []))
        self.assertEqual(sorted(make.out.split()), targets.split())

    def test_eight_jobs_are_interrupted_and_none_survives(self):
        targets = "1 2 3 4 5 6 7 8"
        recipe = "exec finally-run --lock-shared one -r $@.part -- ./generate $@"
        self.write("Makefile", f"all: {targets}\n{targets}:\n\t@{recipe}\n")
        self.write("generate", "#!/bin/sh\ntouch $1 $1.part\necho READY\nexec sleep 1000\n", mode=0o755)
        make = self.start("make", "-j8", terminal=True)
        for _ in targets.split():
            make.wait_for("READY")
        make.type(CTRL_C)
        self.assertIn(make.finish(), INTERRUPTED)
        self.nothing_left()
        self.assertEqual(sorted(os.listdir(self.work)), ["Makefile", "generate"])


def setUpModule():
    need("make", "make")
