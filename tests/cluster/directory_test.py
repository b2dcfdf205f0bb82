"""Nodes that find each other in a directory."""

import json
import re
import time
import unittest

import cluster
import process

PERIOD = 1  # Seconds, in which leases are renewed.
GROUP = 5  # Processes: a server, and those that call its topic.


class DirectoryCase(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.directory = cluster.Server(self, "directory", self.network.host("directory"), (),
                                        "mailroom-directory").start()
        self.known = ("--directory", self.directory.address)

    def nodes(self):
        """Who the directory says is there, and at which address."""
        said = process.run("mailroom", "nodes", "--directory", self.directory.address, "--json",
                           within=("ip", "netns", "exec", "directory"))
        self.assertEqual(said[0], 0, said)
        return {node["name"]: node["address"] for node in json.loads(said[1])}

    def registered(self):
        """Who has registered since it was started, as its log tells."""
        found = (re.search(r" registered node=(\S+)", line) for line in self.directory.process.errors)
        return {each.group(1) for each in found if each}

    def be_away(self, seconds):
        servers = [self.server(name, *self.known) for name in ("a", "b")]
        steady = self.client("steady", [], *self.known, rate=200, in_flight=1000, wait_for_ready="true")
        cluster.until(lambda: all(each.started_since(0) for each in servers), "both work")
        self.directory.kill()
        cluster.last_for(seconds)
        self.directory.start()
        returned = time.monotonic()
        # Asking with a command would take a good part of what is measured.
        cluster.until(lambda: {"a", "b"} <= self.registered(), "everyone is back")
        back = time.monotonic() - returned
        self.assertLessEqual({"a", "b"}, set(self.nodes()))
        cluster.until(lambda: all(each.started_since(returned + back) for each in servers), "both work")
        steady.finish()
        found = self.accounts()
        found.check(self)
        self.assertEqual(found.outcomes(), {"ok/-": len(found.calls)})
        self.assertEqual([each for each in steady.deaths() if self.directory.address not in each], [])
        print(f"everyone is back after {back:.3f} s")
        if back > PERIOD + 0.2:
            raise cluster.TooSlow(f"everyone is back after {back:.3f} s")

    def join_one(self, processes):
        """What one directory carries: bytes in a second for each process, and for one that joins."""
        callers = []
        for group in range(processes // GROUP):
            topic, rate = f"topic-{group}", 20 if group == 0 else 1
            host = self.network.host(f"host-{group}")
            self.server(f"server-{group}", *self.known, "--topic", topic, on=host)
            callers.append([self.client(f"client-{group}-{n}", [], *self.known, on=host, topic=topic, rate=rate,
                                        in_flight=100, wait_for_ready="true") for n in range(GROUP - 1)])
        cluster.until(lambda: all(caller.ok_since(0) for group in callers for caller in group), "all are served",
                      look_every=0.5)
        before, begun = self.directory.host.bytes(), time.monotonic()
        cluster.last_for(5)
        idle = (self.directory.host.bytes() - before) / (time.monotonic() - begun)

        before, begun = self.directory.host.bytes(), time.monotonic()
        joined = self.server("joined", *self.known, "--topic", "topic-0")
        ready = time.monotonic()

        def heard_of():
            """When the first call of each caller has come."""
            first = {}
            for each in joined.executions():
                first.setdefault(int(each.id) >> 32, each.start)
            return first.values()
        cluster.until(lambda: len(heard_of()) == GROUP - 1, "all call it")
        known = max(heard_of()) - ready
        cluster.last_for(2)
        took = time.monotonic() - begun
        join = self.directory.host.bytes() - before - idle * took
        for group in callers:
            for caller in group:
                caller.finish()
        self.accounts().check(self)
        print(f"{processes} processes: {idle / processes:.0f} bytes a second for each, {join:.0f} bytes for one that "
              f"joins, which is known after {known:.3f} s")
        if known > 1:
            raise cluster.TooSlow(f"who joined was known after {known:.3f} s")
        return idle / processes, join


class Directory(DirectoryCase):
    @cluster.best_of(2)
    def test_a_directory_is_away_for_6_seconds_and_comes_back_empty(self):
        self.be_away(6)

    @cluster.best_of(2)
    def test_one_joins_10_processes(self):
        self.join_one(10)


if __name__ == "__main__":
    cluster.main()
