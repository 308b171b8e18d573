"""finally-run in the steps of GitHub Actions, at a runner that takes its time as the real one does."""

import re
import signal

from ci_job import CiJob
from runners import GitHub

UP = (
    r"::group::finally-run: setup: docker compose up -d\ncontainers are up\n"
    r"finally-run: setup: docker compose up -d: done after \S+\n::endgroup::\n"
)
DOWN = (
    r"::group::finally-run: cleanup: docker compose down -v\nremoving containers\n"
    r"finally-run: cleanup: docker compose down -v: done after \S+\n::endgroup::\n"
)


class GitHubActions(CiJob):
    def setUp(self):
        super().setUp()
        self.runner = GitHub(self)
        self.in_a_script, self.in_place, self.around = self.runner.steps(self.recipe("github"))

    def cancel(self, step):
        """Returns what it took the runner to end the shell of the step."""
        self.let_tests_hang()
        self.running = self.hanging(self.runner.start(step))
        took = self.runner.cancel(self.running)
        self.runner.end_step(self.running)
        return took

    def look_at_status(self, status):
        """Nobody reads the log of the step any more; that of the run has what the cleanup prints."""
        (log,) = re.findall(r"^ *log +(/.*)$", status, re.MULTILINE)
        self.wait_until("the log has it", lambda: "removing containers\n" in self.read(log))

    def test_the_steps_work_and_their_log_is_folded(self):
        for step, out in (
            (self.in_a_script, "preparing\ntested\ndone\n"),
            (self.in_place, "tested\n"),
        ):
            running = self.runner.start(step)
            self.assertEqual(running.finish(), 0)
            self.assertEqual(running.out, out)
            self.assertRegex(running.err, rf"\A{UP}{DOWN}\Z")
            self.cleaned_up()
            (self.work / "log").unlink()
        around = self.runner.start(self.around)
        self.assertEqual(around.finish(), 0)
        self.assertEqual(around.out, "containers are up\ntested\n")
        self.assertRegex(around.err, rf"\A{DOWN}\Z")
        self.cleaned_up()

    def test_what_fails_is_annotated(self):
        (self.work / "broken").touch()
        self.let_tests("exit 3")
        step = self.runner.start(self.in_place)
        self.assertEqual(step.finish(), 2)
        self.assertRegex(
            step.err,
            r"no daemon\nfinally-run: cleanup: docker compose down -v: failed after \S+\n::endgroup::\n"
            r"::error title=finally-run%3A cleanup::finally-run: cleanup: docker compose down -v: exit status 9\n"
            r"finally-run: finally-run --state-dir \S+ --recover \S+ tries again, --forget \S+ drops it\n\Z",
        )
        (self.work / "broken").unlink()
        self.assertEqual(self.run_program("finally-run", "--recover").status, 0)

    def test_cancel_of_a_run_in_a_script(self):
        self.assertEqual(self.cancel(self.in_a_script), signal.SIGTERM)
        self.assertRegex(self.running.err, DOWN)
        self.assertNotIn("done\n", self.running.out)
        self.runner.end_job()
        self.nothing_left()
        self.cleaned_up()

    def test_cancel_of_a_run_in_the_place_of_the_shell(self):
        self.assertEqual(self.cancel(self.in_place), signal.SIGINT)
        self.assertRegex(self.running.err, DOWN)
        self.runner.end_job()
        self.nothing_left()
        self.cleaned_up()

    def test_cancel_of_a_run_around_the_step(self):
        self.assertEqual(self.cancel(self.around), signal.SIGINT)
        self.assertRegex(self.running.err, DOWN)
        self.runner.end_job()
        self.nothing_left()
        self.cleaned_up()

    def test_cancel_of_a_run_in_a_script_whose_cleanup_outlasts_the_job(self):
        self.slow_down()
        self.assertEqual(self.cancel(self.in_a_script), signal.SIGTERM)
        self.runner.end_job()
        self.guardian_cleans_up(begun=2)
        self.cleaned_up(begun=2)

    def test_cancel_of_a_run_in_the_place_of_the_shell_whose_cleanup_outlasts_the_job(self):
        self.slow_down()
        self.assertEqual(self.cancel(self.in_place), signal.SIGKILL)
        self.runner.end_job()
        self.guardian_cleans_up(begun=2)
        self.cleaned_up(begun=2)
