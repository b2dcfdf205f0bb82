"""Servers and clients of tests/cluster on hosts of a network, and what a test asks of them."""

import contextlib
import functools
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "services"))

import process  # noqa: E402
import accounts  # noqa: E402
import network  # noqa: E402
from accounts import TooSlow  # noqa: E402

PORT = 7000


def best_of(attempts):
    """For tests that measure time. What is wrong at any speed fails at once."""
    def of(test):
        @functools.wraps(test)
        def tried(self):
            for left in reversed(range(attempts)):
                try:
                    return test(self)
                except TooSlow as late:
                    if left == 0:
                        raise
                    print(f"too slow, so once more: {late}", file=sys.stderr)
                self.doCleanups()
                self.setUp()
        return tried
    return of


def until(condition, what, patience=process.PATIENCE, look_every=0.02):
    """Asks again and again, since what is asked cannot tell by itself."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(look_every)


def last_for(seconds, meanwhile=lambda: None):
    """How long a fault lasts is part of what it is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        meanwhile()
        time.sleep(min(0.01, max(0, end - time.monotonic())))


class Idle:
    """How much of the time of all cores nobody has used since it was made."""

    def __init__(self):
        self.before = self._ticks()

    @staticmethod
    def _ticks():
        with open("/proc/stat", encoding="ascii") as file:
            return [int(each) for each in file.readline().split()[1:9]]

    def share(self):
        spent = [now - before for now, before in zip(self._ticks(), self.before)]
        return spent[3] / max(1, sum(spent))


class Program:
    """What servers and clients have in common: they run, as `process`."""

    def is_watched(self):
        """By AddressSanitizer, which keeps memory that has been freed."""
        with open(f"/proc/{self.process.child.pid}/maps", encoding="utf-8") as file:
            return "libasan" in file.read()

    def resident(self):
        """Bytes of memory."""
        with open(f"/proc/{self.process.child.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server(Program):
    def __init__(self, test, name, host, flags, program="cluster_server", port=PORT):
        self.test, self.name, self.host, self.program = test, name, host, program
        self.journal = os.path.join(test.folder, f"{name}.executions")
        self.flags = ("--listen", f"tcp://{host.address}:{port}", "--name", name, *flags)
        if program == "cluster_server":
            self.flags += ("--journal", self.journal)
        self.address = self.process = None

    def start(self):
        self.process = self.test.started(self.host.start(self.program, *self.flags))
        self.address = self.process.ready()
        return self

    def signal(self, number):
        self.process.child.send_signal(number)
        return time.monotonic()

    def kill(self):
        """kill -9, and it is gone. The time when it was."""
        self.process.child.kill()
        self.process.child.wait()
        return time.monotonic()

    def executions(self):
        return accounts.read_executions(self.journal, self.name)

    def started_since(self, when):
        """Whether it has begun to run a call since then."""
        last = accounts.last_line(self.journal)
        return last is not None and accounts.seconds(last[1]) > when


class Client(Program):
    def __init__(self, test, name, host, servers, flags, load):
        self.name, self.host = name, host
        self.journal = os.path.join(test.folder, f"{name}.calls")
        self.process = test.started(host.start(
            "cluster_client", "--name", name, "--journal", self.journal,
            *(word for server in servers for word in ("--connect", server.address)), *flags,
            *(f"--load-{name.replace('_', '-')}={value}" for name, value in load.items())))
        self.process.ready()

    def calls(self):
        return list(accounts.read_calls(self.journal).values())

    def ok_since(self, when):
        """How many calls that were sent after that have been answered."""
        return sum(call.ok and call.sent > when for call in self.calls())

    def until_sent(self, when):
        """Its calls go on until then."""
        last_for(when - time.monotonic())
        until(lambda: accounts.seconds(accounts.last_line(self.journal)[2]) > when, f"a call after {when}")

    def deaths(self):
        """What it says of servers that it took for dead."""
        return [line for line in self.process.errors if "disconnected" in line]

    def done(self):
        """All its calls have ended."""
        self.process.line(lambda line: line == "done")

    def finish(self):
        """No more calls; the exit code when the last has ended."""
        code = self.process.end()
        if code != 0:
            raise AssertionError(f"a client ended with {code}: {self.process.errors}")


class ClusterTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="cluster."))
        self.network = network.Network()
        self.stack.callback(self.network.remove)
        self.processes, self.all_servers, self.all_clients = [], [], []

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            for each in self.processes:
                print(" ".join(each.child.args), *each.errors[-20:], sep="\n", file=sys.stderr)
        return result

    def started(self, one):
        self.processes.append(one)
        return self.stack.enter_context(one)

    def server(self, name, *flags, on=None, port=PORT):
        """On a host of its own, which has its name, or on one that is there. Port 0: the system chooses."""
        made = Server(self, name, on or self.network.host(name), flags, port=port).start()
        self.all_servers.append(made)
        return made

    def client(self, name, servers, *flags, on=None, emulated=None, **load):
        """On a host of its own, or on one that is there, with a load: see the settings of cluster_client."""
        made = Client(self, name, on or self.network.host(name, emulated), servers, flags, load)
        self.all_clients.append(made)
        return made

    def accounts(self, *clients):
        """Of these, or of all; whatever else ran is not theirs."""
        calls = {}
        for client in clients or self.all_clients:
            calls.update(accounts.read_calls(client.journal))
        executions = [each for server in self.all_servers for each in server.executions() if each.id in calls]
        return accounts.Accounts(calls, executions)

    def assert_offered(self, rate, client, idle):
        """It has made so many calls in a second, unless the machine had no time for it since `idle` was made."""
        sent = [call.sent for call in client.calls()]
        offered = (len(sent) - 1) / (sent[-1] - sent[0])
        left = idle.share()
        print(f"{offered:.0f} calls a second are offered, the machine is idle for {left:.0%} of the time")
        if offered < rate:
            if left > 0.05:
                raise TooSlow(f"{offered:.0f} calls a second are offered, not {rate}, though the machine has time")
            print("the machine is too busy for more")

    def assert_taken_over(self, limit, since, client):
        """A call that is sent so long after the fault is answered."""
        failed = [call.sent - since for call in client.calls() if not call.ok and call.sent >= since]
        print(f"new calls are answered {max(failed, default=0):.3f} s after the fault")
        if failed and failed[-1] > limit:
            raise TooSlow(f"a call failed that was sent {failed[-1]:.3f} s after the fault")

    def assert_ended_within(self, limit, since, client):
        """Since the fault, or since it was sent if that was later."""
        slowest = max(client.calls(), key=lambda call: call.ended - max(since, call.sent))
        took = slowest.ended - max(since, slowest.sent)
        print(f"all calls have ended {took:.3f} s after the fault, or after they were sent")
        if took > limit:
            raise TooSlow(f"a call took {took:.3f} s: {slowest}")


def main():
    network.enter()
    process.main()
