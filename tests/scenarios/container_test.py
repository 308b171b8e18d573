"""finally-run in a container: as pid 1, and below a pid 1 that reaps nothing."""

import json
import os
import re
import signal

import processes
from container import Docker
from runners import GitLab
from scenario import Scenario, need

SLOW = "echo down begins >>/log; while test -e /slow; do sleep .02; done; echo down >>/log"


class Container(Scenario):
    @classmethod
    def setUpClass(cls):
        need("unshare", "util-linux")
        need("nsenter", "util-linux")

    def setUp(self):
        self.container = Docker(self)

    def container_is_gone(self):
        self.nothing_left()
        self.assertEqual(self.container.journals(), [])


class First(Container):
    def words_of_recipe(self):
        words = []
        for instruction in ("ENTRYPOINT", "CMD"):
            words += json.loads(re.search(rf"^{instruction} (.*)$", self.recipe("docker"), re.MULTILINE)[1])
        return words

    def test_docker_stop(self):
        run = self.container.start(*self.words_of_recipe())
        self.wait_until("it is busy", lambda: self.container.has("data/busy"))
        self.assertEqual(self.container.stop(), signal.SIGTERM)
        self.assertEqual(run.finish(), 143)
        self.assertEqual(run.err, "")
        self.assertFalse(self.container.has("data/busy"))
        self.container_is_gone()

    def test_docker_stop_kills_a_slow_cleanup_and_the_next_start_finishes_it(self):
        (self.container.path / "slow").touch()
        words = ("finally-run", "--lock", "l", "-c", SLOW, "--", "sh", "-c", "echo READY >>/log; exec sleep 1000")
        self.container.start(*words)
        self.wait_until("it runs", lambda: "READY" in self.container.read("log"))
        self.assertEqual(self.container.stop(), signal.SIGKILL)
        self.nothing_left()
        self.assertEqual(len(self.container.journals()), 1)
        (self.container.path / "slow").unlink()

        self.container.start(*words)
        self.wait_until("it runs again", lambda: self.container.read("log").count("READY") == 2)
        self.assertEqual(self.container.stop(), signal.SIGTERM)
        self.container_is_gone()
        # Before the second READY the cleanup of the first.
        self.assertEqual(
            self.container.read("log").split("\n"),
            ["READY", "down begins", "down begins", "down", "READY", "down begins", "down", ""],
        )

    def test_orphans_are_reaped(self):
        orphans = "for i in 1 2 3 4; do (sleep .01 & sleep 0) & done; wait"
        self.container.script("tmp/leave", f"{orphans}; echo READY; exec sleep 1000")
        run = self.container.start("finally-run", "-c", "true", "--", "/tmp/leave")
        run.wait_for("READY")
        self.wait_until(
            "the guardian and the command are all there is",
            lambda: sorted(process.name for process in self.container.processes()) == ["finally-guard", "sleep"],
        )
        self.assertEqual(self.container.stop(), signal.SIGTERM)
        self.container_is_gone()


class Below(Container):
    """As with `docker exec`, where pid 1 is a program that never waits for anybody."""

    def setUp(self):
        super().setUp()
        self.container.start("sleep", "1000")

    def nothing_in_it(self):
        self.assertEqual(self.container.processes(), [])
        self.assertEqual(self.container.journals(), [])

    def tearDown(self):
        self.container.kill()
        self.nothing_left()

    def test_no_zombie_stays_however_it_ends(self):
        orphans = "for i in 1 2 3; do setsid sleep 1000 & done; "
        for options, command, status in (
            (["--orphans", "kill"], orphans + "exit 3", 3),
            (["--orphans", "kill", "--timeout", ".05"], orphans + "exec sleep 1000", 124),
            (["--setup", "false"], "true", 1),
            (["--cleanup-timeout", ".05", "-c", "sleep 1000", "--grace", ".05", "--failed-cleanups", "drop"],
             "kill -9 $$", 137),
        ):
            with self.subTest(command):
                words = ("--lock", "l", "-c", "true", *options, "--", "sh", "-c", command)
                run = self.container.exec("finally-run", *words)
                self.assertEqual(run.wait(), status)
                self.nothing_in_it()

    def test_no_zombie_stays_after_term_or_when_the_guardian_is_killed(self):
        for kill_guardian in (False, True):
            with self.subTest(kill_guardian=kill_guardian):
                words = ("--lock", "l", "-c", "true", "--", "sh", "-c", "echo READY; sleep 1000")
                run = self.container.exec("finally-run", *words)
                run.wait_for("READY")
                guardian = self.guardian_of(run)
                if kill_guardian:
                    os.kill(guardian.pid, signal.SIGKILL)
                os.kill(guardian.parent, signal.SIGTERM)
                self.assertEqual(run.wait(), 143)
                self.nothing_in_it()


class GitLabDockerExecutor(Container):
    """Pid 1 is the shell of the job. A cancel is TERM to all others, and 10 s later the end of the container."""

    def test_cancel_of_a_job_that_ignores_term(self):
        for name, work in (
            ("docker", 'echo "$2" >>/log'),
            ("make", "trap '' TERM; touch /running; while :; do sleep .02; done"),
        ):
            self.container.script(f"usr/local/bin/{name}", work)
        variables, commands = GitLab.job(self.recipe("gitlab"))
        job = self.container.start("sh", "-c", f"{commands}\nexit $?", **variables)
        self.wait_until("the tests run", lambda: self.container.has("running"))
        for process in self.container.processes():
            processes.kill(process.pid, signal.SIGTERM)
        self.assertTrue(job.ends_within(10))
        self.assertEqual(job.finish(), 137)
        self.assertEqual(self.container.read("log"), "up\ndown\n")
        self.container_is_gone()
