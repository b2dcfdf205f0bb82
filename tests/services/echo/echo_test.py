"""The service of the root README as a process."""

import os
import re
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.dirname(HERE))

import process  # noqa: E402


def source():
    with open(os.path.join(ROOT, "services", "echo", "echo.cpp"), encoding="utf-8") as file:
        return file.read()


class Echo(unittest.TestCase):
    def call(self, address, method, arguments):
        return process.run("mailroom", "call", "--connect", address, "--topic", "echo", "--timeout", "20s", method,
                           arguments)

    def test_answers_under_every_executor_and_drains(self):
        for executor in ("cooperative", "work-stealing", "loop-bound"):
            with self.subTest(executor), process.Process(
                    "mailroom-echo", "--listen", "tcp://127.0.0.1:0", "--executor", executor) as echo:
                address = echo.ready()
                self.assertRegex(address, r"^tcp://127\.0\.0\.1:[1-9][0-9]*$")
                self.assertEqual(self.call(address, "echo", '["hello"]'), (0, '"hello"\n', ""))
                self.assertEqual(self.call(address, "later", '["hello"]'), (0, '"hello, number 1"\n', ""))
                self.assertEqual(self.call(address, "later", '["hello"]'), (0, '"hello, number 2"\n', ""))
                self.assertEqual(echo.end(), 0)

    def test_drains_on_an_interrupt_too(self):
        with process.Process("mailroom-echo", "--listen", "tcp://127.0.0.1:0") as echo:
            echo.ready()
            self.assertEqual(echo.end(signal.SIGINT), 0)

    def test_refuses_an_unknown_flag_and_names_the_nearest(self):
        code, out, err = process.run("mailroom-echo", "--listne", "tcp://127.0.0.1:0")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("listen", err)

    def test_fails_when_nobody_can_read_what_it_says(self):
        for arguments in ((), ("--help",), ("--print-config",)):
            with self.subTest(arguments), open("/dev/full", "w", encoding="utf-8") as full:
                code, err = process.run_into(full, "mailroom-echo", "--log-level", "off", *arguments)
                self.assertEqual(code, 1)
                self.assertEqual(len(err.splitlines()), 1, err)
                self.assertIn("stdout", err)

    def test_is_what_the_readme_shows(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            shown = re.findall(r"^```cpp\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        self.assertIn(source(), shown)

    def test_has_at_most_25_lines(self):
        self.assertLessEqual(len(source().splitlines()), 25)


if __name__ == "__main__":
    process.main()
