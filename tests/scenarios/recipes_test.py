"""Every recipe of the README is run by a test, and none is a recipe without its mark."""

import unittest

import recipes

# Their tests are still to be written.
NOT_PLAYED = {"GitHub Actions", "GitLab", "Docker", "systemd"}


class EveryRecipe(unittest.TestCase):
    def test_is_run_by_a_test(self):
        in_readme = {name for _, name, _ in recipes.blocks() if name}
        self.assertEqual(in_readme, recipes.named_in_tests())

    def test_has_a_name(self):
        readme = recipes.README.read_text()
        section = readme[readme.index("\n## Recipes\n") : readme.index("\n## Beside other tools\n")]
        for heading, name, text in recipes.blocks():
            if text in section and heading not in NOT_PLAYED:
                self.assertIsNotNone(name, f"under {heading!r} stands a block without <!-- recipe: NAME -->:\n{text}")
