"""Servers that die."""

import unittest

import cluster


class Crash(cluster.ClusterTest):
    @cluster.best_of(3)
    def test_kill_9_with_10_000_calls_in_flight(self):
        a, b = self.server("a"), self.server("b")
        crowd = self.client("crowd", [a], method="slow", ms=60_000, in_flight=10_000, count=10_000, timeout="20s")
        steady = self.client("steady", [a, b], rate=500, in_flight=5000, timeout="5s")
        cluster.until(lambda: sum(each.method == "work.slow" for each in a.executions()) == 10_000, "10 000 calls run")
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        killed = a.kill()
        crowd.done()
        steady.until_sent(killed + 1)
        steady.finish()
        crowd.finish()
        self.accounts().check(self)
        self.assertEqual(self.accounts(crowd).outcomes(), {"lost/may have run": 10_000})
        self.assert_taken_over(0.5, killed, steady)
        self.assert_ended_within(0.5, killed, crowd)


if __name__ == "__main__":
    cluster.main()
