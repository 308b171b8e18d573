"""The job of the CI recipes: `make test`, between `docker compose up` and `docker compose down`."""

from scenario import Scenario, need

# Notes what it does. It takes as long as there is a file called slow, and fails if there is one called broken.
DOCKER = """
case $* in
'compose up -d') echo up >>log; echo containers are up ;;
'compose down -v')
    echo down begins >>log; echo removing containers
    while test -e slow; do sleep .02; done
    if test -e broken; then echo no daemon; exit 9; fi
    echo down >>log ;;
*) exit 99 ;;
esac
"""


class CiJob(Scenario):
    @classmethod
    def setUpClass(cls):
        need("make", "make")
        need("bash", "bash")

    def setUp(self):
        self.program("docker", DOCKER)
        self.write("Makefile", "test:\n\t@./run-tests\n")
        self.let_tests("echo tested")

    def let_tests(self, work):
        self.write("run-tests", f"#!/bin/sh\n{work}\n", mode=0o755)

    def let_tests_hang(self):
        self.let_tests("touch running; exec sleep 1000")

    def hanging(self, job):
        self.wait_until("the tests run", (self.work / "running").exists)
        return job

    def slow_down(self):
        (self.work / "slow").touch()

    def speed_up(self):
        (self.work / "slow").unlink()

    def guardian_cleans_up(self, begun=1):
        """After all that the runner has done: the cleanup has begun so many times, and ends when it can."""
        self.wait_until("the cleanup runs", lambda: self.read("log").count("down begins\n") == begun)
        guardians = [process for process in self.leftovers() if process.is_guardian]
        self.assertEqual(len(guardians), 1, self.leftovers())
        self.look_at_status(self.run_program("finally-run", "--status").out)
        self.speed_up()
        self.nothing_left()

    def look_at_status(self, status):
        self.assertIn("cleanup: docker compose down -v", status)

    def cleaned_up(self, begun=1):
        self.assertEqual(self.read("log"), "up\n" + begun * "down begins\n" + "down\n")
