#!/usr/bin/env python3
"""Runs scenarios: run.py FINALLY_RUN FILE_test.py [CASE.test...]

The status is 77 if all of them were skipped.
"""

import importlib.util
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class TimedResult(unittest.TextTestResult):
    """Says in one line what was played, and how long it took."""

    def getDescription(self, test):
        if not isinstance(test, unittest.TestCase):
            return str(test)  # of a class or module whose setting up failed
        return f"{type(test).__name__}: {test._testMethodName.removeprefix('test_').replace('_', ' ')}"

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok, {time.monotonic() - self.started:.1f} s")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.dont_write_bytecode = True
    path = pathlib.Path(sys.argv[2]).resolve()
    sys.path[:0] = [str(path.parent), str(HERE)]
    import processes
    from scenario import Scenario

    Scenario.binary = pathlib.Path(sys.argv[1]).resolve(strict=True)
    processes.adopt_orphans()
    module = load(path)
    loader = unittest.defaultTestLoader
    names = sys.argv[3:]
    suite = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2, resultclass=TimedResult).run(suite)
    if result.testsRun == 0 and result.skipped:
        sys.exit(SKIPPED)
    # No test at all is a mistake.
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


if __name__ == "__main__":
    main()
