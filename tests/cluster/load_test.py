"""More calls than a server can take."""

import time
import unittest

import cluster

MIB = 1 << 20


class Overload(cluster.ClusterTest):
    @cluster.best_of(2)
    def test_5000_calls_a_second_for_a_handler_of_10_ms(self):
        server = self.server("a", "--queue-limit", "work=300")
        attempts = server.host.attempts()
        self.addCleanup(attempts.close)
        fast = self.client("fast", [server], method="grind", ms=10, rate=5000, in_flight=30_000, timeout="5s")
        begun = time.monotonic()
        cluster.until(lambda: any(call.outcome == "busy" for call in fast.calls()), "busy", look_every=0.5)
        connections = len(attempts.read())
        full = server.resident()
        fast.until_sent(begun + 6)
        most = server.resident()
        fast.finish()
        found = self.accounts()
        found.check(self)
        outcomes = found.outcomes()
        # It may have been running, or just have run, when its time was over.
        self.assertEqual(set(outcomes) - {"ok/-", "busy/not run", "expired/not run", "expired/may have run",
                                          "expired/ran and failed"}, set())
        print(f"{outcomes}, server {most / MIB:.0f} MiB")
        self.assertGreater(outcomes["busy/not run"], outcomes["ok/-"])
        self.assertEqual(len(attempts.read()), connections, "it connected again")
        self.assertEqual(fast.deaths(), [])
        if not server.is_watched():
            self.assertLess(most - full, 8 * MIB, "the server's memory grows")


if __name__ == "__main__":
    cluster.main()
