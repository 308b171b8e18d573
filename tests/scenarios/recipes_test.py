"""Every recipe is run by a test, and none is a recipe without its mark."""

import re
import unittest

import recipes


class EveryRecipe(unittest.TestCase):
    def test_is_run_by_a_test(self):
        in_documents = {name for _, name, _ in recipes.blocks() if name}
        self.assertEqual(in_documents, recipes.named_in_tests())

    def test_has_a_name(self):
        for heading, name, text in recipes.blocks_of(recipes.RECIPES):
            self.assertIsNotNone(name, f"under {heading!r} stands a block without <!-- recipe: NAME -->:\n{text}")


class EveryExample(unittest.TestCase):
    def test_has_the_cleanup_to_the_left_of_its_setup(self):
        manual = (recipes.ROOT / "man" / "finally-run.1").read_text().replace(r"\-", "-").replace("\\e\n", "\\\n")
        session = (recipes.ROOT / "docs" / "session.sh").read_text()
        found = 0
        for text in (recipes.README.read_text(), recipes.RECIPES.read_text(), manual, session):
            for command in re.findall(r"finally-run(?:\\+\n|[^\n])*", text):
                if "--setup" in command and "--cleanup" in command:
                    found += 1
                    self.assertLess(command.index("--cleanup"), command.index("--setup"), command)
        self.assertGreater(found, 10)
