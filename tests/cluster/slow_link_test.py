"""A link that takes long for a big call."""

import unittest

import cluster

MIB = 1 << 20


class SlowLinkCase(cluster.ClusterTest):
    def send(self, size, timeout):
        """One big call, and small ones by the same session meanwhile."""
        limit = ("--max-body", "64MiB")
        server = self.server("a", *limit)
        client = self.client("b", [server], *limit, "--beside-count", 1, "--beside-in-flight", 1, "--beside-bytes", size,
                             "--beside-timeout", f"{timeout}s", rate=10, in_flight=1000, timeout="20s",
                             emulated={"rate": 1e6, "queue_ms": 50})

        def big():
            return [call for call in client.calls() if call.load == "beside" and call.ended is not None]
        cluster.until(big, "the big call ends", patience=timeout + 1, look_every=0.5)
        client.finish()
        found = self.accounts()
        found.check(self)
        self.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
        self.assertEqual(client.deaths(), [])
        small = sorted(call.took for call in client.calls() if call.load == "load" and call.sent < big()[0].ended)
        self.assertGreater(len(small), 10)
        slow = small[len(small) * 99 // 100]
        print(f"{size} bytes in {big()[0].took:.1f} s; {len(small)} small calls, p50 {small[len(small) // 2]:.3f} s, "
              f"p99 {slow:.3f} s")
        if slow > 0.3:
            raise cluster.TooSlow(f"small calls wait {slow:.3f} s for the big one")


class SlowLink(SlowLinkCase):
    @cluster.best_of(2)
    def test_a_big_call_on_a_link_of_1_mbit(self):
        self.send(MIB, 60)


if __name__ == "__main__":
    cluster.main()
