"""The first example of the README."""

from scenario import Scenario


class FirstExample(Scenario):
    def test_sets_up_works_cleans_up_and_returns_the_status_of_the_command(self):
        run = self.run_program("sh", "-c", self.recipe("first-example"))
        self.assertRegex(run.out, rf"\Aworking in {self.tmp}/\S+\nstatus 3\n\Z")
        self.assertEqual(run.err, "up\ndown\n")
        self.nothing_held()
