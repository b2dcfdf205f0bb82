"""Many processes on one embedded directory: how soon a join is known, what it costs, what idling costs. Runs in a network
of its own, so that nothing else is counted."""

import contextlib
import os
import statistics
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import process  # noqa: E402

process.PATIENCE = 120  # Two hundred processes start on few cores.
ANY = "tcp://127.0.0.1:0"
SUBSCRIBERS = 5  # Of each topic.
JOINS = 5
IDLE_SECONDS = 20
INSIDE = "MAILROOM_TEST_OWN_NETWORK"


def sent_bytes():
    """By the loopback of this network (/sys may show that of another)."""
    with open("/proc/self/net/dev", encoding="ascii") as file:
        line = next(line for line in file if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[8])


def listing(address):
    """(nodes, watchers, bytes of questions and answers so far)"""
    code, out, err = process.run("directory_test_listing", address)
    if code != 0:
        raise AssertionError(err)
    return tuple(int(each) for each in out.split())


class Crowd(unittest.TestCase):
    def measure(self, count):
        with contextlib.ExitStack() as running:
            directory = running.enter_context(process.Process("mailroom-directory", "--listen", ANY))
            address = directory.ready()
            awaited = ",".join(f"joiner-{number}" for number in range(JOINS))
            members = []
            for number in range(count):
                watched = ",".join(f"topic-{(number + step) % count}" for step in range(1, SUBSCRIBERS + 1))
                members.append(running.enter_context(process.Process(
                    "directory_test_member", "--listen", ANY, "--directory", address, "--name", f"member-{number}",
                    "--member-serves", f"topic-{number}", "--member-watches", watched, "--member-awaits", awaited)))
            for member in members:
                member.ready()
            subscribers = [members[-step] for step in range(1, SUBSCRIBERS + 1)]
            until = time.monotonic() + process.PATIENCE
            while listing(address)[:2] != (count, count) and time.monotonic() < until:
                time.sleep(0.1)
            self.assertEqual(listing(address)[:2], (count, count))
            time.sleep(3)  # Until the last of them have connected to each other.

            before, begun = sent_bytes(), time.monotonic()
            time.sleep(IDLE_SECONDS)  # What is measured.
            idle = (sent_bytes() - before) / (time.monotonic() - begun) / count

            delays, costs = [], []
            for number in range(JOINS):
                bytes_before = listing(address)[2]
                joiner = running.enter_context(process.Process(
                    "directory_test_member", "--listen", ANY, "--directory", address, "--name", f"joiner-{number}",
                    "--member-serves", "topic-0"))
                joiner.ready()
                ready = time.monotonic_ns()
                for each in subscribers:
                    line = each.line(lambda line, who=number: line.startswith(f"knows topic-0 joiner-{who} "))
                    delays.append((int(line.split()[3]) - ready) / 1e9)
                costs.append(listing(address)[2] - bytes_before)
            return idle, max(delays), statistics.median(costs)

    def test_a_join_is_soon_known_and_costs_what_its_subscribers_do(self):
        figures = []
        for count in (50, 100, 200):
            idle, delay, cost = self.measure(count)
            figures.append((idle, delay, cost))
            print(f"{count} processes: idle {idle:.0f} bytes/s each, a join known to its {SUBSCRIBERS} subscribers after "
                  f"{delay * 1000:.0f} ms at most, {cost:.0f} bytes of watching", file=sys.stderr, flush=True)
        idles, delays, costs = zip(*figures)
        self.assertLess(max(delays), 1)
        self.assertLess(max(idles), min(idles) * 1.2)
        self.assertLess(max(costs), min(costs) * 1.2)


def main():
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        own = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
        os.execvp(own[0], own + ["sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, "-B", *sys.argv])
    process.main()


if __name__ == "__main__":
    main()
