"""Collector and poller as processes, and what a test asks them."""

import json
import os
import shutil
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.dirname(HERE))

import process  # noqa: E402


def until(condition, what):
    """Asks again and again, since what is asked cannot tell by itself."""
    patience = time.monotonic() + process.PATIENCE
    while not condition():
        if time.monotonic() > patience:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)


class Deployment(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="metering.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.database = os.path.join(self.folder, "metering.db")

    def collector(self, *arguments, listen="tcp://127.0.0.1:0", **options):
        return process.Process("mailroom-collector", "--listen", listen, "--database", self.database, *arguments,
                               **options)

    def poller(self, address, *arguments):
        return process.Process("mailroom-poller", "--connect", address, *arguments)

    def statistics(self, address, *arguments):
        code, out, err = process.run("mailroom-metering", "statistics", "--connect", address, "--json", "--timeout",
                                     "20s", *arguments)
        self.assertEqual((code, err), (0, ""))
        return out

    def stored(self, address, meter):
        return sum(row["count"] for row in json.loads(self.statistics(address, "--meter", meter)))
