"""More calls than a server can take."""

import bisect
import time
import unittest

import cluster

MIB = 1 << 20
QUEUE = 300  # Calls that may wait.
CREDIT = 16 * MIB  # Of calls that may be under way to a server.
BODY = 100_000


class Load(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.memory = {}

    def watched_server(self, *flags):
        """And who connects to it, from the start."""
        server = self.server("a", *flags)
        attempts = server.host.attempts()
        self.addCleanup(attempts.close)
        return server, attempts

    def weigh(self, *programs):
        """Each so often, for `assert_flat`."""
        for each in programs:
            if not each.is_watched():
                self.memory.setdefault(each.name, []).append(each.resident())

    def assert_flat(self, most):
        """Memory has not grown since the first weighing. It does when the machine is too busy for who must read."""
        for name, sizes in self.memory.items():
            print(f"memory of {name}: {sizes[0] / MIB:.1f} MiB, later {max(sizes) / MIB:.1f} MiB at most")
            if max(sizes) - sizes[0] > most:
                raise cluster.TooSlow(f"the memory of {name} grows: {[size // MIB for size in sizes]} MiB")

    def assert_connected_once(self, client, attempts):
        ports = [port for _, who, port in attempts.read() if who == client.host.address]
        self.assertEqual(len(ports), 2, f"a control link and a data link: {ports}")
        self.assertEqual(ports.count(cluster.PORT), 1, ports)
        self.assertEqual(client.deaths(), [])

    def assert_never_more_wait(self, server):
        """Than the bound: of those before each call, some were still under way when it was sent."""
        calls, executions = self.accounts().calls, self.accounts().executions
        starts = sorted(each.start for each in executions)
        before = max(bisect.bisect_left(starts, each.start) - bisect.bisect_left(starts, calls[each.id].sent)
                     for each in executions)
        print(f"a call was behind {before} others at most")
        self.assertGreaterEqual(before, QUEUE - 1, "busy, though more could have waited")
        if before > 1.3 * QUEUE and not server.is_watched():  # That is slow: many more are under way.
            raise cluster.TooSlow(f"a call was behind {before} others")

    def overload(self, rate, in_flight, **load):
        server, attempts = self.watched_server("--queue-limit", f"work={QUEUE}")
        idle = cluster.Idle()
        fast = self.client("fast", [server], method="grind", ms=10, rate=rate, in_flight=in_flight, **load)
        cluster.until(lambda: any(call.outcome == "busy" for call in fast.calls()), "busy", look_every=0.5)
        begun = time.monotonic()
        fast.until_sent(begun + 1)
        while time.monotonic() < begun + 6:
            self.weigh(server, fast)
            cluster.last_for(0.1)
        self.assert_offered(0.9 * rate, fast, idle)
        fast.finish()
        found = self.accounts()
        found.check(self)
        outcomes = found.outcomes()
        print(outcomes)
        # It may have been running, or just have run, when its time was over.
        self.assertEqual(set(outcomes) - {"ok/-", "busy/not run", "expired/not run", "expired/may have run",
                                          "expired/ran and failed"}, set())
        self.assertGreater(outcomes["busy/not run"], outcomes["ok/-"])
        self.assert_connected_once(fast, attempts)
        self.assert_never_more_wait(server)
        self.assert_flat(8 * MIB)


class Overload(Load):
    @cluster.best_of(3)
    def test_5000_calls_a_second_for_a_handler_of_10_ms(self):
        self.overload(5000, 30_000)

    @cluster.best_of(3)
    def test_500_bodies_of_100_kb_a_second_for_a_handler_of_10_ms(self):
        self.overload(500, 1000, bytes=BODY)


class Credit(Load):
    @cluster.best_of(3)
    def test_bodies_wait_at_the_caller_while_nobody_takes_them(self):
        server, attempts = self.watched_server("--executor", "loop-bound", "--stuck-after", "0")
        steady = self.client("steady", [server], rate=300, in_flight=1000, bytes=BODY, timeout="10s")
        arrived = []
        for n in range(4):
            begun = time.monotonic()
            cluster.until(lambda: steady.ok_since(begun) > 100, "calls are answered")
            slow = self.client(f"slow{n}", [server], method="grind", ms=1500, count=1)
            cluster.until(lambda: sum(each.method == "work.grind" for each in server.executions()) > n, "it is held")
            held, before = time.monotonic(), server.host.received()
            steady.until_sent(held + 1.2)
            sent = sum(call.sent > held for call in steady.calls())
            if sent * BODY < 1.5 * CREDIT:
                raise cluster.TooSlow(f"{sent} bodies need no credit")
            arrived.append(server.host.received() - before)
            if n > 0:  # The first is to warm up.
                self.weigh(server, steady)
            slow.done()
            slow.finish()
        steady.finish()
        found = self.accounts()
        found.check(self)
        self.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
        print(f"arrived while it was held: {[f'{each / MIB:.1f} MiB' for each in arrived]}")
        self.assertGreater(min(arrived), 0.4 * CREDIT, "what has been taken was not given back")
        self.assertLess(max(arrived), 1.1 * CREDIT, "more than the server gave credit for")
        self.assert_connected_once(steady, attempts)
        self.assert_flat(CREDIT)


if __name__ == "__main__":
    cluster.main()
