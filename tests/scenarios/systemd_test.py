"""finally-run as a service of systemd, whose way to stop one is played."""

import signal

from container import Systemd
from scenario import Scenario, need


class Service(Scenario):
    @classmethod
    def setUpClass(cls):
        need("unshare", "util-linux")

    def setUp(self):
        self.service = Systemd(self, self.recipe("systemd"))

    def start_import(self, work):
        """The import that the service is for; whatever an earlier one has left must be gone by then."""
        self.service.script(
            "usr/local/bin/import",
            f"{work}\ntest ! -e /var/tmp/import || echo not clean\nmkdir /var/tmp/import; echo READY\n"
            "while sleep .02; do :; done",
        )
        main = self.service.start()
        self.assertEqual(main.wait_for("READY"), "READY")
        return main

    def is_clean(self):
        self.nothing_left()
        self.assertFalse(self.service.has("var/tmp/import"))
        self.assertEqual(self.service.journals(), [])

    def test_stop(self):
        main = self.start_import("")
        self.assertEqual(self.service.stop(), signal.SIGTERM)
        self.assertEqual(main.finish(), 143)
        self.is_clean()

    def test_stop_with_a_signal_to_every_process(self):
        main = self.start_import("")
        self.assertEqual(self.service.stop(kill_mode="control-group"), signal.SIGTERM)
        self.assertEqual(main.finish(), 143)
        self.is_clean()

    def test_all_of_it_is_killed_and_the_next_start_finishes_it(self):
        self.start_import("trap '' TERM")
        self.assertEqual(self.service.stop(), signal.SIGKILL)
        self.nothing_left()
        self.assertTrue(self.service.has("var/tmp/import"))
        self.start_import("")
        self.assertEqual(self.service.stop(), signal.SIGTERM)
        self.is_clean()
