"""Servers that run, but whose handlers do not end."""

import unittest

import cluster


class Hung(cluster.ClusterTest):
    def hang(self, executor):
        a, b = self.server("a", "--executor", executor), self.server("b", "--executor", executor)
        steady = self.client("steady", [a, b], rate=200, in_flight=4000, timeout="5s")
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        self.client("fatal", [a], method="hang", count=1, timeout="2s")
        cluster.until(lambda: any(each.method == "work.hang" for each in a.executions()), "it hangs")
        hung = next(each.start for each in a.executions() if each.method == "work.hang")
        steady.until_sent(hung + 4)
        steady.finish()
        self.accounts().check(self)
        late = [call for call in steady.calls()
                if call.sent > hung + 2 and not call.ok and call.outcome != "busy"]
        if late:
            raise cluster.TooSlow(f"{len(late)} calls went where nothing moves, the last: {late[-1]}")
        self.assertEqual(steady.deaths(), [], "what hangs is not dead")

    @cluster.best_of(3)
    def test_handlers_hang_while_the_loop_runs(self):
        self.hang("work-stealing")

    @cluster.best_of(3)
    def test_handlers_hang_and_the_loop_with_them(self):
        self.hang("loop-bound")


if __name__ == "__main__":
    cluster.main()
