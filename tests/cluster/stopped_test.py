"""Servers whose process stands still."""

import random
import signal
import unittest

import cluster


class Stopped(cluster.ClusterTest):
    @cluster.best_of(3)
    def test_a_server_stands_still_for_5_seconds(self):
        a, b = self.server("a"), self.server("b")
        steady = self.client("steady", [a, b], rate=200, in_flight=4000, timeout="20s")
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        cluster.last_for(random.random())  # At any moment between two heartbeats.
        stopped = a.signal(signal.SIGSTOP)
        cluster.last_for(5)
        woken = a.signal(signal.SIGCONT)
        cluster.until(lambda: a.started_since(woken), "it works again")
        steady.until_sent(woken + 1)
        steady.finish()
        found = self.accounts()
        found.check(self)
        self.assertEqual([(each, found.calls[each.id]) for each in found.executions
                          if each.server == "a" and each.start > woken and found.calls[each.id].sent < woken], [],
                         "started what was queued before")
        self.assert_ended_within(3.2, stopped, steady)
        self.assert_taken_over(3.2, stopped, steady)


if __name__ == "__main__":
    cluster.main()
