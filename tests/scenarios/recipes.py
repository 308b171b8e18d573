"""The recipes of docs/recipes.md and the first example of the README, word for word.

A recipe is one or several code blocks, each after a line `<!-- recipe: NAME -->`, which a reader does not see. If it
has to lie in a file, its first comment line says which: `# Makefile`.
"""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
RECIPES = ROOT / "docs" / "recipes.md"

BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^ *<!-- recipe: (?P<name>\S+) -->\n+\Z", re.MULTILINE)
FILE_NAME = re.compile(r"^(?:#!.*\n)?(?:#|//) (?P<name>[\w./~-]+)$", re.MULTILINE)


def blocks():
    """(heading, recipe or None, text) of each code block."""
    return [block for file in (README, RECIPES) for block in blocks_of(file)]


def blocks_of(file):
    document = file.read_text()
    found = []
    for block in BLOCK.finditer(document):
        before = document[: block.start()]
        headings = re.findall(r"^##+ (.*)$", before, re.MULTILINE)
        mark = MARK.search(before)
        indent = block["indent"]
        text = "".join(line.removeprefix(indent) for line in block["text"].splitlines(keepends=True))
        found.append((headings[-1] if headings else "", mark["name"] if mark else None, text))
    return found


def texts(name):
    found = [text for _, recipe, text in blocks() if recipe == name]
    if not found:
        raise AssertionError(f"there is no recipe {name!r}")
    return found


def text(name):
    """Of a recipe that is one block."""
    found = texts(name)
    if len(found) != 1:
        raise AssertionError(f"the recipe {name!r} has {len(found)} blocks")
    return found[0]


def files(name):
    """{file name: text} of a recipe whose blocks name their files."""
    found = {}
    for block in texts(name):
        file_name = FILE_NAME.match(block)
        if not file_name:
            raise AssertionError(f"a block of the recipe {name!r} does not name its file in its first line:\n{block}")
        found[file_name["name"]] = block
    return found


def named_in_tests():
    """The recipes that tests ask for: the first word of recipe(...) and write_recipe(...)."""
    found = set()
    for path in pathlib.Path(__file__).parent.rglob("*_test.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("recipe", "write_recipe"):
                found.add(ast.literal_eval(node.args[0]))
    return found
