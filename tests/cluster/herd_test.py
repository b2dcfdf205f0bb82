"""Clients whose server is away: how often each tries, and whether all come at once. A client has a host of its own, so
that its address tells who tries."""

import collections
import time
import unittest

import cluster

MOST_ATTEMPTS = 10  # Of a client, in any 10 seconds.
MOMENT, MOST_AT_ONCE = 0.25, 0.5  # Seconds; the share of the clients that may come back within.


def most_within(seconds, times):
    """The most of these times that any such span has."""
    span, most = collections.deque(), 0
    for when in sorted(times):
        span.append(when)
        while span[0] < when - seconds:
            span.popleft()
        most = max(most, len(span))
    return most


class HerdCase(cluster.ClusterTest):
    def watched_server(self):
        server = self.server("a")
        attempts = server.host.attempts()
        self.addCleanup(attempts.close)
        return server, attempts

    def assert_patient(self, clients, attempts):
        """Of each client by itself, those of data links included."""
        sessions, connections = collections.defaultdict(list), collections.defaultdict(list)
        for when, who, port in attempts:
            connections[who].append(when)
            if port == cluster.PORT:
                sessions[who].append(when)
        self.assertEqual(set(connections), {client.host.address for client in clients}, "who tried")
        most = {who: most_within(10, times) for who, times in connections.items()}
        print(f"in 10 s a client begins {max(most_within(10, times) for times in sessions.values())} sessions at most, "
              f"and {max(most.values())} connections with those of data links")
        self.assertEqual({who: times for who, times in most.items() if times > MOST_ATTEMPTS}, {}, "tried too often")

    def assert_spread(self, clients, attempts):
        """They come back one by one: the last attempt of each led to its session."""
        last = {who: when for when, who, port in attempts if port == cluster.PORT}
        over = max(last.values()) - min(last.values())
        at_once = most_within(MOMENT, last.values())
        print(f"{len(last)} clients are back over {over:.2f} s, {at_once} of them within {MOMENT} s")
        # Who must wait for a busy machine comes together with others.
        if over <= 1 or at_once > MOST_AT_ONCE * len(clients):
            raise cluster.TooSlow(f"{at_once} of {len(clients)} came back within {MOMENT} s, all over {over:.2f} s")

    def lose_server(self, count, away):
        server, attempts = self.watched_server()
        clients = [self.client(f"c{n}", [server], rate=1, in_flight=10) for n in range(count)]
        cluster.until(lambda: all(client.ok_since(0) for client in clients), "all are connected", look_every=0.2)
        attempts.read().clear()
        server.kill()
        cluster.last_for(away, attempts.read)
        back = time.monotonic()
        server.start()
        cluster.until(lambda: attempts.read() and all(client.ok_since(back) for client in clients),
                      "all are connected again", look_every=0.2)
        for client in clients:
            client.finish()
        self.accounts().check(self)
        self.assert_patient(clients, attempts.read())
        self.assert_spread(clients, attempts.read())


class Herd(HerdCase):
    @cluster.best_of(2)
    def test_a_server_dies_as_often_as_it_starts(self):
        server, attempts = self.watched_server()
        client = self.client("client", [server], rate=10, in_flight=100)
        end = time.monotonic() + 12
        while time.monotonic() < end:
            server.kill()
            cluster.last_for(0.5, attempts.read)
            server.start()
            cluster.last_for(0.5, attempts.read)
        client.finish()
        self.accounts().check(self)
        self.assert_patient([client], attempts.read())

    @cluster.best_of(2)
    def test_20_clients_lose_their_server(self):
        self.lose_server(20, 10)


if __name__ == "__main__":
    cluster.main()
