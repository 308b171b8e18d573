"""The session of the README's picture, played as a test."""

import recipes
from scenario import Scenario

SESSION = recipes.README.parent / "docs" / "session.sh"


class Picture(Scenario):
    def test_shows_a_wait_a_folded_cleanup_and_a_status(self):
        terminal = self.start("bash", SESSION, terminal=True)
        terminal.wait_for("s for lock: deploy: ./deploy staging (pid ")
        terminal.wait_for("::group::finally-run: cleanup: ./stack down")
        terminal.wait_for("next     cleanup: ./stack down")
        self.assertEqual(terminal.finish(), 0)
