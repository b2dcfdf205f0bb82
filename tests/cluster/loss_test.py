"""Links that lose, delay, double and reorder packets."""

import unittest

import cluster

ROUGH = {"delay_ms": 50, "jitter_ms": 20, "duplicate": 0.01, "reorder": 0.02}


class LossCase(cluster.ClusterTest):
    def lose(self, seconds, *shares):
        a, b = self.server("a"), self.server("b")
        steady = self.client("steady", [a, b], rate=100, in_flight=6000, timeout="60s", emulated=ROUGH)
        for share in shares:
            steady.host.link.both(**ROUGH, loss=share)
            cluster.last_for(seconds / len(shares))
        steady.finish()
        found = self.accounts()
        found.check(self)
        self.assertEqual(steady.deaths(), [], "a false death")
        self.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
        took = sorted(call.took for call in steady.calls())
        print(f"{len(took)} calls, p50 {took[len(took) // 2]:.3f} s, worst {took[-1]:.3f} s")
        self.assertGreater(took[len(took) // 2], 0.08, "the link is not as it should be")


class Loss(LossCase):
    @cluster.best_of(2)
    def test_1_and_5_percent_of_packets_are_lost(self):
        self.lose(15, 0.01, 0.05)

    @cluster.best_of(2)
    def test_30_percent_of_packets_are_lost(self):
        a, b = self.server("a"), self.server("b")
        steady = self.client("steady", [a, b], rate=100, in_flight=1000, timeout="3s", emulated={})
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        steady.host.link.both(loss=0.3)
        cluster.last_for(6)
        steady.finish()
        found = self.accounts()
        found.check(self)
        print(found.outcomes())
        self.assertGreater(max(call.took for call in steady.calls()), 0.2, "the link is not as it should be")


if __name__ == "__main__":
    cluster.main()
