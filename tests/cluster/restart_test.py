"""Servers that go and come back."""

import signal
import time
import unittest

import cluster
import directory_test

RATE = 2000  # Calls in a second.
BETWEEN = 0.4  # Seconds for which both serve, before the next goes.


def roll(test, times, servers, steady, gone=lambda server: None, back=lambda server: None):
    """Restarts one after the other under a steady load, of which nothing fails. `gone` and `back` look at each."""
    def both_work():
        begun = time.monotonic()
        cluster.until(lambda: all(each.started_since(begun) for each in servers), "both work")
        steady.until_sent(begun + BETWEEN)

    both_work()
    idle = cluster.Idle()
    for n in range(times):
        server = servers[n % 2]
        test.assertEqual(server.process.end(signal.SIGTERM), 0)
        gone(server)
        server.start()
        back(server)
        both_work()
    test.assert_offered(0.95 * RATE, steady, idle)
    steady.finish()
    found = test.accounts()
    found.check(test)
    worst = max(call.took for call in found.calls.values())
    print(f"{times} restarts, {len(found.calls)} calls, worst {worst:.3f} s: {found.outcomes()}")
    test.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
    test.assertEqual([each for each in steady.deaths() if "good-bye" not in each], [], "it went without a word")
    if worst > 0.5:
        raise cluster.TooSlow(f"a call took {worst:.3f} s")


class RestartCase(cluster.ClusterTest):
    def roll(self, times):
        servers = [self.server("a"), self.server("b")]
        roll(self, times, servers, self.client("steady", servers, method="slow", ms=20, rate=RATE, in_flight=4000))


class Restart(RestartCase):
    @cluster.best_of(2)
    def test_a_rolling_restart_of_5(self):
        self.roll(5)


class RestartInDirectory(directory_test.DirectoryCase):
    @cluster.best_of(2)
    def test_a_rolling_restart_of_5_that_come_back_at_other_addresses(self):
        servers = [self.server(name, *self.known, port=0) for name in ("a", "b")]
        steady = self.client("steady", [], *self.known, method="slow", ms=20, rate=RATE, in_flight=4000,
                             wait_for_ready="true")
        addresses = {server.address for server in servers}

        def back(server):
            addresses.add(server.address)
            cluster.until(lambda: self.nodes().get(server.name) == server.address, "its new address is known")
        roll(self, 5, servers, steady, back=back,
             gone=lambda server: self.assertNotIn(server.name, self.nodes(), "it ended, but is still registered"))
        self.assertGreater(len(addresses), 2)


if __name__ == "__main__":
    cluster.main()
