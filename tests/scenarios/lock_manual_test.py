"""The helper that finally-run-lock(7) has as its example, word for word."""

import pathlib
import re

from lock_helper import LockHelper

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "man" / "finally-run-lock.7"


class Example(LockHelper):
    engine = "file"

    def setUp(self):
        text = re.search(r"^\.SH EXAMPLE$.*?^\.EX\n(.*?)^\.EE$", MANUAL.read_text(), re.MULTILINE | re.DOTALL)[1]
        for roff, plain in ((r"\(aq", "'"), (r"\-", "-"), (r"\e", "\\")):
            text = text.replace(roff, plain)
        self.program("finally-run-lock-file", text)
        self.env["LOCK_FILES"] = str(self.home)

    def helper(self):
        return self.bin / "finally-run-lock-file"

    def test_it_keeps_the_protocol(self):
        first = self.contend(holder='the "first" a\\b')
        token, _ = first.held()
        for wait in ("0", "0.1"):
            busy = self.contend(wait=wait)
            self.assertEqual(busy.finish(), 75)
        second = self.contend()
        self.assertEqual(second.wait_for("waiting ")[0], 'the "first" a\\b')
        first.write("begin it's a\\b")
        self.assertEqual(first.leave(), 0)
        self.assertEqual(first.said()[-1], "done")
        self.assertGreater(second.held()[0], token)
        self.assertEqual(second.said()[-2], "unclean it's a\\b")
        second.write("begin again")
        second.write("clean")
        self.assertEqual(second.leave(), 0)
        third = self.hold()
        self.assertEqual(len(third.said()), 1)
        self.assertEqual(third.leave(), 0)

    def test_it_refuses_what_it_cannot_do(self):
        for name, mode in (("a/b", "exclusive"), ("deploy", "shared")):
            helper = self.contend(name, mode=mode)
            self.assertNotIn(helper.finish(), (0, 75))
            self.assertRegex(helper.program.err, r"\A[^\n]+\n\Z")
