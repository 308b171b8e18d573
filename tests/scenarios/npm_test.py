"""finally-run in a script of package.json.

npm itself would bring hundreds of packages. What it does with a script is played here: a shell of its own, `sh -c`, to
which alone npm passes INT and TERM on.
"""

import json
import signal

from scenario import Scenario


class Script(Scenario):
    def setUp(self):
        self.write("database-up", "#!/bin/sh\necho up >>database\n", mode=0o755)
        self.write("database-down", "#!/bin/sh\necho down >>database\n", mode=0o755)

    def start_script(self):
        script = json.loads(self.recipe("npm"))["scripts"]["test"]
        return self.start("sh", "-c", script)

    def test_a_failed_test_is_cleaned_up_after_and_npm_gets_its_status(self):
        self.program("node", 'test "$*" = --test || exit 9; cat database; exit 3')
        npm = self.start_script()
        self.assertEqual(npm.finish(), 3)
        self.assertEqual(npm.out, "up\n")
        self.assertEqual(self.read("database"), "up\ndown\n")

    def test_npm_passes_a_signal_on_to_the_shell_and_waits_for_the_cleanups(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.write("database", "")
                self.program("node", "echo READY; exec sleep 1000")
                npm = self.start_script()
                npm.wait_for("READY")
                self.assertTrue(self.is_locked("database"))
                npm.signal(number)
                self.assertEqual(npm.finish(), 128 + number)
                self.assertEqual(self.read("database"), "up\ndown\n")
                self.assertFalse(self.is_locked("database"))
