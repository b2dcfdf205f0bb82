"""Servers that live, but are not heard, or do not hear."""

import random
import time
import unittest

import cluster

TAKEN_OVER = 3.2  # Seconds: three heartbeats, and a little.


class PartitionCase(cluster.ClusterTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.server("a"), self.server("b")

    def cut_off(self, *directions):
        steady = self.client("steady", [self.a, self.b], rate=200, in_flight=4000, timeout="10s")
        cluster.until(lambda: steady.ok_since(0) > 100, "calls are answered")
        cluster.last_for(random.random())  # At any moment between two heartbeats.
        cut = self.a.host.cut(*directions)
        steady.until_sent(cut + TAKEN_OVER + 0.5)
        steady.finish()
        self.accounts().check(self)
        self.assert_ended_within(TAKEN_OVER, cut, steady)
        self.assert_taken_over(TAKEN_OVER, cut, steady)

    def part_and_heal(self, times):
        patient = self.client("patient", [self.a, self.b], rate=200, in_flight=4000, timeout="10s")
        hasty = self.client("hasty", [self.a, self.b], rate=200, in_flight=4000, timeout="2s")
        healed = 0
        for _ in range(times):
            cluster.until(lambda: self.a.started_since(healed), "it works again")
            self.a.host.cut()
            cluster.last_for(4)
            healed = self.a.host.heal()
        cluster.until(lambda: self.a.started_since(healed), "it works again")
        patient.finish()
        hasty.finish()
        found = self.accounts()
        found.check(self)
        print(found.outcomes())
        self.assertGreater(found.outcomes().get("expired/may have run", 0), 0, "there was no partition")


class Partition(PartitionCase):
    @cluster.best_of(3)
    def test_a_host_vanishes(self):
        self.cut_off("in", "out")

    @cluster.best_of(3)
    def test_nothing_reaches_a_server(self):
        self.cut_off("in")

    @cluster.best_of(3)
    def test_nothing_comes_from_a_server(self):
        self.cut_off("out")

    @cluster.best_of(2)
    def test_a_partition_of_4_seconds_heals_3_times(self):
        self.part_and_heal(3)

    @cluster.best_of(2)
    def test_connections_are_reset_every_second(self):
        steady = self.client("steady", [self.a, self.b], rate=200, in_flight=4000)
        for _ in range(4):
            begun = time.monotonic()
            cluster.until(lambda: self.a.started_since(begun), "it works again")
            self.a.host.reset()
            cluster.last_for(0.2)
            self.a.host.heal()
            cluster.last_for(0.8)
        steady.finish()
        self.accounts().check(self)


if __name__ == "__main__":
    cluster.main()
