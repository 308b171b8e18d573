"""The session of the README's picture, played as a test."""

import html
import re

import recipes
from scenario import Scenario

SESSION = recipes.README.parent / "docs" / "session.sh"
PICTURE = SESSION.with_suffix(".svg")


class Picture(Scenario):
    def test_shows_a_failed_cleanup_and_the_status_of_it_and_a_recovery(self):
        terminal = self.start("bash", SESSION, terminal=True)
        terminal.wait_for("cleanup: ./stack down: exit status 1: ")
        terminal.wait_for("failed   cleanup: ./stack down")
        terminal.wait_for("recovering run ")
        terminal.wait_for("database is gone")
        self.assertEqual(terminal.finish(), 0)

    def test_is_made_of_this_session(self):
        """What is typed in the session stands in the picture: in its last frame, since nothing scrolls away."""
        typed = re.findall(r"""^typed ['"](.*)['"]$""", SESSION.read_text(), re.MULTILINE)
        self.assertEqual(len(typed), 4)
        picture = re.sub(r"<[^>]*>", "", html.unescape(PICTURE.read_text())).replace("\u00a0", " ")
        for line in typed:
            self.assertIn(f"$ {line}", picture)
