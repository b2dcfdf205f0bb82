"""Servers that are told to end."""

import signal
import time
import unittest

import cluster


class Drain(cluster.ClusterTest):
    def drain(self, limit, **load):
        server = self.server("a")
        client = self.client("client", [server], **load)
        cluster.until(lambda: client.ok_since(0) > load["in_flight"], "it works")
        begun = time.monotonic()
        self.assertEqual(server.process.end(signal.SIGTERM), 0)
        took = time.monotonic() - begun
        client.finish()
        found = self.accounts()
        found.check(self)
        print(f"it ended after {took:.3f} s")
        self.assertEqual([found.calls[each.id] for each in found.executions if not found.calls[each.id].ok], [],
                         "ran, but was not answered")
        if took > limit:
            raise cluster.TooSlow(f"it ended after {took:.3f} s")

    @cluster.best_of(3)
    def test_an_idle_server_ends_at_once(self):
        self.drain(1, in_flight=1, rate=10)

    @cluster.best_of(3)
    def test_500_running_handlers_end_before_their_server(self):
        self.drain(1.5, in_flight=500, method="slow", ms=300)


if __name__ == "__main__":
    cluster.main()
