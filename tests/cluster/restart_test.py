"""Servers that go and come back."""

import signal
import time
import unittest

import cluster


class RestartCase(cluster.ClusterTest):
    def roll(self, times):
        servers = [self.server("a"), self.server("b")]
        steady = self.client("steady", servers, method="slow", ms=20, rate=2000, in_flight=4000, timeout="5s")
        for n in range(times):
            server = servers[n % 2]
            begun = time.monotonic()
            cluster.until(lambda: all(each.started_since(begun) for each in servers), "both work")
            self.assertEqual(server.process.end(signal.SIGTERM), 0)
            server.start()
        begun = time.monotonic()
        cluster.until(lambda: all(each.started_since(begun) for each in servers), "both work")
        steady.finish()
        found = self.accounts()
        found.check(self)
        worst = max(call.took for call in found.calls.values())
        print(f"{times} restarts, {len(found.calls)} calls, worst {worst:.3f} s: {found.outcomes()}")
        self.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
        if worst > 0.5:
            raise cluster.TooSlow(f"a call took {worst:.3f} s")


class Restart(RestartCase):
    @cluster.best_of(2)
    def test_a_rolling_restart_of_5(self):
        self.roll(5)


if __name__ == "__main__":
    cluster.main()
