"""finally-run in the jobs of GitLab, Jenkins and Buildkite."""

import signal

from ci_job import CiJob
from runners import Buildkite, GitLab, Jenkins
from scenario import TIME_LIMIT


class GitLabShell(CiJob):
    def setUp(self):
        super().setUp()
        self.runner = GitLab(self)

    def test_the_job_works_and_its_log_is_folded(self):
        job = self.runner.start(self.recipe("gitlab"))
        self.assertEqual(job.finish(), 0)
        self.assertEqual(job.out, "tested\n")
        self.assertEqual(job.err.count("\x1b[0Ksection_start:"), 2)
        self.assertEqual(job.err.count("\x1b[0Ksection_end:"), 2)
        self.assertRegex(
            job.err,
            r"section_start:\d+:(\S+)\[collapsed=true\]\r\x1b\[0Kfinally-run: cleanup: docker compose down -v\n"
            r"removing containers\nfinally-run: cleanup: docker compose down -v: done after \S+\n"
            r"\x1b\[0Ksection_end:\d+:\1\r",
        )
        self.cleaned_up()

    def test_cancel(self):
        self.let_tests_hang()
        job = self.hanging(self.runner.start(self.recipe("gitlab")))
        self.assertEqual(self.runner.cancel(job), signal.SIGTERM)
        self.nothing_left()
        self.assertIn("cleanup: docker compose down -v: done", job.err)
        self.cleaned_up()

    def test_cancel_when_the_cleanup_outlasts_the_ten_minutes(self):
        self.let_tests_hang()
        self.slow_down()
        job = self.hanging(self.runner.start(self.recipe("gitlab")))
        self.assertEqual(self.runner.cancel(job), signal.SIGKILL)
        self.guardian_cleans_up()
        # The runner still reads: the guardian holds the log.
        job.finish()
        self.assertIn("removing containers", job.err)
        self.assertTrue(self.read("log").endswith("down\n"))


class JenkinsPipeline(CiJob):
    def setUp(self):
        super().setUp()
        self.runner = Jenkins(self)

    def test_the_step_works(self):
        self.runner.start(self.recipe("jenkins"))
        self.assertEqual(self.runner.result(TIME_LIMIT), 0)
        self.runner.end_node()
        self.assertIn("containers are up\ntested\nremoving containers\n", self.read("jenkins-log.txt"))
        self.cleaned_up()

    def test_abort(self):
        self.let_tests_hang()
        self.hanging(self.runner.start(self.recipe("jenkins")))
        # That of make, which may get TERM before finally-run does; None if the step did not end by itself.
        self.assertIn(self.runner.abort(), (2, 143))
        self.nothing_left()
        self.assertIn("removing containers\n", self.read("jenkins-log.txt"))
        self.cleaned_up()

    def test_abort_when_the_cleanup_outlasts_the_node(self):
        self.let_tests_hang()
        self.slow_down()
        self.hanging(self.runner.start(self.recipe("jenkins")))
        self.assertIsNone(self.runner.abort())
        self.runner.end_node()
        self.wait_until("the cleanup is run again", lambda: self.read("log").count("down begins\n") == 2)
        self.speed_up()
        self.nothing_left()
        self.cleaned_up(begun=2)


class BuildkiteAgent(CiJob):
    def setUp(self):
        super().setUp()
        self.runner = Buildkite(self)

    def test_the_job_works(self):
        job = self.runner.start(self.recipe("buildkite"))
        self.assertEqual(job.finish(), 0)
        self.assertEqual(job.out.replace("\r", ""), "containers are up\ntested\nremoving containers\n")
        self.cleaned_up()

    def test_cancel(self):
        self.let_tests_hang()
        job = self.hanging(self.runner.start(self.recipe("buildkite")))
        self.assertEqual(self.runner.cancel(job), signal.SIGTERM)
        self.nothing_left()
        job.finish()
        self.assertIn("removing containers", job.out)
        self.cleaned_up()

    def test_cancel_when_the_cleanup_outlasts_the_grace(self):
        self.let_tests_hang()
        self.slow_down()
        job = self.hanging(self.runner.start(self.recipe("buildkite")))
        self.assertEqual(self.runner.cancel(job), signal.SIGKILL)
        self.guardian_cleans_up()
        self.assertTrue(self.read("log").endswith("down begins\ndown\n"))
