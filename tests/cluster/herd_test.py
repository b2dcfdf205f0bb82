"""Clients whose server is away: how often they try."""

import collections
import time
import unittest

import cluster

MOST_ATTEMPTS = 10  # Of a client, in any 10 seconds.


class HerdCase(cluster.ClusterTest):
    def busiest(self, attempts):
        """The most attempts of one host in any 10 seconds."""
        times = collections.defaultdict(collections.deque)
        most = 0
        for when, who, port in attempts:
            if port == cluster.PORT:  # Of the data ports a client learns once it is connected.
                times[who].append(when)
                while times[who][0] < when - 10:
                    times[who].popleft()
                most = max(most, len(times[who]))
        return most

    def lose_server(self, hosts, nodes):
        server = self.server("a")
        attempts = server.host.attempts()
        self.addCleanup(attempts.close)
        clients = [self.client(f"c{n}", [server], "--nodes", nodes, rate=1, in_flight=10) for n in range(hosts)]
        cluster.until(lambda: all(client.ok_since(0) >= nodes for client in clients), "all are connected")
        attempts.read().clear()
        server.kill()
        cluster.last_for(10, attempts.read)
        back = time.monotonic()
        server.start()
        cluster.until(lambda: attempts.read() and all(client.ok_since(back) >= nodes for client in clients),
                      "all are connected again")
        for client in clients:
            client.finish()
        self.accounts().check(self)
        returns = [when for when, _, port in attempts.read() if when > back and port == cluster.PORT]
        print(f"{self.busiest(attempts.read()) / nodes} attempts of a client in 10 s, "
              f"back over {max(returns) - min(returns):.1f} s")
        self.assertLessEqual(self.busiest(attempts.read()), MOST_ATTEMPTS * nodes)
        self.assertGreater(max(returns) - min(returns), 1)


class Herd(HerdCase):
    @cluster.best_of(2)
    def test_a_server_dies_as_often_as_it_starts(self):
        server = self.server("a")
        attempts = server.host.attempts()
        self.addCleanup(attempts.close)
        client = self.client("client", [server], rate=10, in_flight=100)
        end = time.monotonic() + 12
        while time.monotonic() < end:
            server.kill()
            cluster.last_for(0.5, attempts.read)
            server.start()
            cluster.last_for(0.5, attempts.read)
        client.finish()
        self.accounts().check(self)
        print(f"{self.busiest(attempts.read())} attempts in 10 s")
        self.assertLessEqual(self.busiest(attempts.read()), MOST_ATTEMPTS)

    @cluster.best_of(2)
    def test_20_clients_lose_their_server(self):
        self.lose_server(2, 10)


if __name__ == "__main__":
    cluster.main()
