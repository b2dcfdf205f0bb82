"""A script of tools/ in a tree of its own, with stand-ins for the programs that it would start."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
BINARIES = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
BASH = shutil.which("bash")
PATIENCE = 60  # Seconds; a busy machine is slow.
NOBODY = 65534


class Scratch(unittest.TestCase):
    script = ""
    path = ("/usr/local/bin", "/usr/bin", "/bin")  # Behind the stand-ins.

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="mailroom-tools.")
        self.addCleanup(shutil.rmtree, self.root)
        self.bin = os.path.join(self.root, "stand-ins")
        self.asked = os.path.join(self.root, "asked")
        for folder in (os.path.join(self.root, "tools"), self.bin):
            os.mkdir(folder)
        shutil.copy(os.path.join(ROOT, "tools", self.script), os.path.join(self.root, "tools"))
        with open(self.asked, "w", encoding="utf-8"):
            pass
        for name in (self.root, self.bin, os.path.join(self.root, "tools")):
            os.chmod(name, 0o755)
        os.chmod(self.asked, 0o666)  # Stand-ins may be started by somebody else.

    def stand_in(self, name, text="", folder=None):
        """A program that notes how it was called and does what `text` says."""
        path = os.path.join(folder or self.bin, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{BASH}\necho \"{name} $*\" >> '{self.asked}'\n{text}\n")
        os.chmod(path, 0o755)

    def calls(self):
        with open(self.asked, encoding="utf-8") as file:
            return file.read().splitlines()

    def command(self, *arguments):
        return [BASH, os.path.join(self.root, "tools", self.script), *arguments]

    def environment(self):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("MAILROOM_") and name != "CMAKE_SETTINGS"}
        return {**kept, "PATH": ":".join((self.bin, *self.path))}

    def run_it(self, *arguments, **options):
        """(exit code, stdout, stderr)"""
        done = subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, env=self.environment(), check=False, **options)
        return done.returncode, done.stdout, done.stderr

    def explains_itself(self):
        for flag in ("--help", "-h"):
            code, out, err = self.run_it(flag)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith(f"usage: tools/{self.script}"), out)
            self.assertIn(f"Example: tools/{self.script} ", out)
        self.assertEqual(self.calls(), [])

    def refuses(self, *arguments, naming):
        """Wrong usage, found before anything was done."""
        code, out, err = self.run_it(*arguments)
        self.assertEqual((code, out), (2, ""), arguments)
        for word in naming:
            self.assertIn(word, err.splitlines()[0], arguments)
        self.assertEqual(self.calls(), [])


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
