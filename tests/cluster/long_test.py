"""The rows of the other scripts at full length."""

import unittest

import cluster
import directory_test
import herd_test
import loss_test
import partition_test
import restart_test
import slow_link_test


class LongPartition(partition_test.PartitionCase):
    def test_a_partition_of_4_seconds_heals_20_times(self):
        self.part_and_heal(20)


class LongLoss(loss_test.LossCase):
    def test_1_and_5_percent_of_packets_are_lost_for_10_minutes(self):
        self.lose(600, 0.01, 0.05)


class LongRestart(restart_test.RestartCase):
    def test_a_rolling_restart_of_50(self):
        self.roll(50)


class LongHerd(herd_test.HerdCase):
    @cluster.best_of(2)
    def test_200_clients_lose_their_server(self):
        self.lose_server(200, 10)

    @cluster.best_of(2)
    def test_200_clients_lose_their_server_which_is_back_at_once(self):
        self.lose_server(200, 0)


class LongSlowLink(slow_link_test.SlowLinkCase):
    def test_a_call_of_20_mb_on_a_link_of_1_mbit(self):
        self.send(20_000_000, 400)


class LongDirectory(directory_test.DirectoryCase):
    @cluster.best_of(2)
    def test_a_directory_is_away_for_60_seconds_and_comes_back_empty(self):
        self.be_away(60)

    def test_one_joins_50_100_and_200_processes(self):
        idle, join = {}, {}
        for processes in (50, 100, 200):
            idle[processes], join[processes] = self.join_one(processes)
            self.doCleanups()
            self.setUp()
        middle = sum(idle.values()) / len(idle)
        for processes, each in idle.items():
            self.assertLess(abs(each - middle), 0.2 * middle, f"bytes of an idle node among {processes}")
        self.assertLess(join[200], 1.5 * join[50], "who joins costs the more, the more are there")


if __name__ == "__main__":
    cluster.main()
