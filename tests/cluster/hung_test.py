"""Servers that run, but whose handlers do not end. On a loop-bound executor the I/O loop stands still with them."""

import unittest

import cluster

SEEN = 2  # Seconds: two heartbeats.


class Hung(cluster.ClusterTest):
    def hang(self, executor, *names):
        """The first server's handlers, under a load of all. The calls that were sent when it must have been seen."""
        servers = [self.server(name, "--executor", executor) for name in names]
        steady = self.client("steady", servers, rate=200, in_flight=4000, timeout="3s")
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        self.client("fatal", servers[:1], method="hang", count=1, timeout="2s")

        def hung():
            return [each.start for each in servers[0].executions() if each.method == "work.hang"]
        cluster.until(hung, "it hangs")
        since = hung()[0]
        steady.until_sent(since + SEEN + 2)
        steady.finish()
        self.accounts().check(self)
        self.assertEqual(steady.deaths(), [], "what hangs is not dead")
        suffered = [call.sent - since for call in steady.calls() if not call.ok and call.outcome != "busy"]
        print(f"the last call that went where nothing moves was sent {max(suffered, default=0):.3f} s after it hung")
        new = [call for call in steady.calls() if call.sent > since + SEEN]
        self.assertGreater(len(new), 100)
        return new

    def assert_taken_elsewhere(self, executor):
        late = [call for call in self.hang(executor, "a", "b") if not call.ok and call.outcome != "busy"]
        if late:
            raise cluster.TooSlow(f"{len(late)} calls went where nothing moves, the last: {late[-1]}")

    def assert_busy(self, executor):
        """Nobody else can take its calls, so they end at once."""
        new = self.hang(executor, "a")
        late = [call for call in new if call.outcome != "busy" or call.execution != "not run"]
        if late:
            raise cluster.TooSlow(f"{len(late)} calls went where nothing moves, the last: {late[-1]}")
        slowest = max(call.took for call in new)
        print(f"{len(new)} calls are busy after {slowest:.3f} s at most")
        if slowest > 0.2:
            raise cluster.TooSlow(f"a call was busy after {slowest:.3f} s")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_cooperative_executor_and_calls_go_elsewhere(self):
        self.assert_taken_elsewhere("cooperative")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_work_stealing_executor_and_calls_go_elsewhere(self):
        self.assert_taken_elsewhere("work-stealing")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_loop_bound_executor_and_calls_go_elsewhere(self):
        self.assert_taken_elsewhere("loop-bound")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_cooperative_executor_of_the_only_server(self):
        self.assert_busy("cooperative")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_work_stealing_executor_of_the_only_server(self):
        self.assert_busy("work-stealing")

    @cluster.best_of(3)
    def test_handlers_hang_on_a_loop_bound_executor_of_the_only_server(self):
        self.assert_busy("loop-bound")


if __name__ == "__main__":
    cluster.main()
