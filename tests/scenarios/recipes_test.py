"""Every recipe is run by a test, and none is a recipe without its mark."""

import unittest

import recipes


class EveryRecipe(unittest.TestCase):
    def test_is_run_by_a_test(self):
        in_documents = {name for _, name, _ in recipes.blocks() if name}
        self.assertEqual(in_documents, recipes.named_in_tests())

    def test_has_a_name(self):
        for heading, name, text in recipes.blocks_of(recipes.RECIPES):
            self.assertIsNotNone(name, f"under {heading!r} stands a block without <!-- recipe: NAME -->:\n{text}")
