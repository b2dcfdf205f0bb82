"""Starts the real binaries, reads what they print, ends them. Nothing here waits for time to pass: it waits for lines
and exits, and gives up after PATIENCE."""

import os
import queue
import signal
import subprocess
import sys
import threading
import unittest

PATIENCE = 30  # Seconds; sanitizers and a busy machine are slow.
BINARIES = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""


def binary(name):
    return os.path.join(BINARIES, name)


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("MAILROOM_")}


class Process:
    """A running binary. `with` ends it whatever happens. `within`: a command that runs another, which takes its place.
    `environment`: more of it."""

    def __init__(self, name, *arguments, within=(), environment=(), **options):
        self.child = subprocess.Popen(
            [*within, binary(name), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**clean_environment(), **dict(environment)}, **options)
        self.lines, self.errors = queue.Queue(), []
        self.readers = [threading.Thread(target=self._read, args=(self.child.stdout, self.lines.put)),
                        threading.Thread(target=self._read, args=(self.child.stderr, self.errors.append))]
        for reader in self.readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for reader in self.readers:
            reader.join()
        self.child.stdout.close()
        self.child.stderr.close()

    def _read(self, stream, to):
        for line in stream:
            to(line.rstrip("\n"))
        if stream is self.child.stdout:
            self.lines.put(None)

    def line(self, wanted=lambda line: True):
        """The next line on stdout that is wanted."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"it ended: {self.child.args} {self.errors}")
            if wanted(line):
                return line

    def ready(self):
        """The address that it announces."""
        return self.line(lambda line: line.startswith("ready ")).split()[1]

    def end(self, how=signal.SIGTERM):
        self.child.send_signal(how)
        return self.wait()

    def wait(self):
        """The exit code, when all that it printed has been read."""
        code = self.child.wait(timeout=PATIENCE)
        for reader in self.readers:
            reader.join()
        return code


def run_into(out, name, *arguments):
    """Runs a binary to its end with `out` as its stdout: (exit code, stderr)."""
    done = subprocess.run([binary(name), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out,
                          stderr=subprocess.PIPE, text=True, timeout=PATIENCE, env=clean_environment(), check=False)
    return done.returncode, done.stderr


def run(name, *arguments, within=(), **options):
    """Runs a binary to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([*within, binary(name), *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=PATIENCE, env=clean_environment(), **options)
    return done.returncode, done.stdout, done.stderr


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
