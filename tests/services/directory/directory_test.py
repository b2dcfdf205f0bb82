"""mailroom-directory and services that find each other through it, as processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import process  # noqa: E402

ANY = "tcp://127.0.0.1:0"


def nodes(*directories):
    code, out, err = process.run("mailroom", "nodes", "--directory", ",".join(directories), "--json", "--timeout", "20s")
    if code != 0:
        raise AssertionError(err)
    return json.loads(out)


def names(*directories):
    return sorted(each["name"] for each in nodes(*directories))


def eventually(holds):
    until = time.monotonic() + process.PATIENCE
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


class Directory(unittest.TestCase):
    def setUp(self):
        self.running = contextlib.ExitStack()
        self.addCleanup(self.running.close)

    def start(self, name, *arguments, **options):
        started = self.running.enter_context(process.Process(name, *arguments, **options))
        return started, started.ready()

    def directory(self, listen=ANY, *more):
        return self.start("mailroom-directory", "--listen", listen, *more)

    def echo(self, name, *directories):
        return self.start("mailroom-echo", "--listen", ANY, "--name", name, "--directory", ",".join(directories))

    def call(self, directory, *more):
        return process.run("mailroom", "call", "--directory", directory, "--topic", "echo", "--timeout", "20s", *more,
                           "echo", '["hello"]')

    def traffic(self, directory):
        """Two that serve, and one that calls them from now on."""
        for name in ("first", "second"):
            self.start("directory_test_member", "--listen", ANY, "--name", name, "--directory", directory,
                       "--member-serves", "crowd")
        caller, _ = self.start("directory_test_member", "--listen", ANY, "--name", "caller", "--directory", directory,
                               "--member-calls", "crowd", "--member-watches", "crowd", "--member-awaits", "first,second")
        for _ in range(2):
            caller.line(lambda line: line.startswith("knows "))
        return caller

    def is_back(self, directory):
        begun = time.monotonic()
        self.assertTrue(eventually(lambda: names(directory) == ["caller", "first", "second"]))
        # One period, and what starting a command takes.
        self.assertLess(time.monotonic() - begun, 3)

    def ends_without_failures(self, caller, at_least):
        self.assertEqual(caller.end(), 0)
        answered, failed, *why = caller.line(lambda line: line.startswith("calls ")).split()[1:]
        self.assertEqual(int(failed), 0, why)
        self.assertGreater(int(answered), at_least)

    def test_services_are_found_by_their_topic(self):
        _, directory = self.directory()
        _, first = self.echo("first", directory)
        second, _ = self.echo("second", directory)
        self.assertEqual(self.call(directory), (0, '"hello"\n', ""))
        self.assertEqual(self.call(directory, "--server", "second"), (0, '"hello"\n', ""))
        self.assertEqual(process.run("mailroom", "call", "--topic", "echo", "--directory", directory, "echo", '["hello"]'),
                         (0, '"hello"\n', ""))
        self.assertEqual(names(directory), ["first", "second"])
        listed = {each["name"]: each for each in nodes(directory)}
        self.assertEqual(listed["first"]["address"], first)
        self.assertEqual(listed["first"]["topics"], [{"exchange": "mailroom", "topic": "echo"}])
        code, out, _ = process.run("mailroom", "topics", "--directory", directory, "--json")
        self.assertEqual(code, 0)
        self.assertEqual([(each["topic"], len(each["nodes"])) for each in json.loads(out)], [("echo", 2)])
        code, out, _ = process.run("mailroom", "topics", "--directory", directory)
        self.assertRegex(out, r"echo +mailroom +2 +first, second|echo +mailroom +2 +second, first")
        # One that is told to stop is gone at once.
        self.assertEqual(second.end(), 0)
        self.assertEqual(names(directory), ["first"])

    def test_operators_go_by_what_is_registered(self):
        _, directory = self.directory()
        _, first = self.echo("first", directory)
        second, _ = self.echo("second", directory)
        self.assertEqual(self.call(directory)[0], 0)
        code, out, err = process.run("mailroom", "ping", "--all", "--directory", directory, "--json")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(sorted(each["node"] for each in json.loads(out)), ["first", "second"])
        code, out, err = process.run("mailroom", "ledger", "--directory", directory, "--json")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(out)["sum"]["in"]["handled"], 1)
        code, out, err = process.run("mailroom", "drain", "--directory", directory, "secnd")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("nearest: second", err)
        self.echo("first", directory)
        code, out, err = process.run("mailroom", "drain", "--directory", directory, "first")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("2 nodes are called 'first'", err)
        code, out, err = process.run("mailroom", "drain", "--directory", directory, "second")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("node second drained", out)
        self.assertEqual(second.wait(), 0)
        self.assertEqual(names(directory), ["first", "first"])
        self.assertEqual(process.run("mailroom", "drain", "--connect", first, "first")[0], 2)

    def ledger(self, *directories):
        """What it says, whether or not all nodes answer."""
        return json.loads(process.run("mailroom", "ledger", "--directory", ",".join(directories), "--json")[1] or "{}")

    def test_the_ledger_has_what_nodes_that_left_have_counted(self):
        _, one = self.directory()
        _, other = self.directory()
        first, _ = self.echo("first", one, other)
        self.echo("second", one, other)
        for server in ("first", "second", "first"):
            self.assertEqual(self.call(one, "--server", server)[0], 0)
        self.assertEqual(first.end(), 0)
        told = self.ledger(one, other)
        self.assertEqual([each["node"] for each in told["nodes"]], ["second"])
        # Who called only through one directory has left only that one.
        self.assertEqual(len(told["left"]), 4)
        self.assertEqual([each["in"]["handled"] for each in told["left"] if each["node"] == "first"], [2])
        self.assertEqual((told["sum"]["out"]["sent"], told["sum"]["in"]["messages"]), (3, 3))
        self.assertEqual((told["difference_between"], told["lapsed"]), (0, []))
        code, out, err = process.run("mailroom", "ledger", "--directory", one)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\nfirst \(left\) +in ")
        self.assertRegex(out, r"\nclients \(left: 3\) +out +3 ")
        self.assertIn("sent 3, received 3, difference 0\n", out)

    def test_nothing_is_missing_from_the_ledger_when_all_were_drained_under_load(self):
        _, directory = self.directory()
        caller = self.traffic(directory)
        for name in ("first", "second"):
            self.assertEqual(process.run("mailroom", "drain", "--directory", directory, name)[0], 0)
        self.assertEqual(caller.end(), 0)
        self.assertTrue(eventually(lambda: len(self.ledger(directory)["left"]) == 3))
        told = self.ledger(directory)
        self.assertEqual((told["difference_between"], told["sum"]["out"]["difference"], told["sum"]["in"]["difference"],
                          told["nodes"], told["lapsed"]), (0, 0, 0, [], []), told)
        self.assertGreater(told["sum"]["in"]["handled"], 0)

    def test_the_ledger_says_who_went_without_a_word(self):
        _, directory = self.directory()
        first, _ = self.echo("first", directory)
        self.assertEqual(self.call(directory)[0], 0)
        first.end(signal.SIGKILL)
        self.assertTrue(eventually(lambda: self.ledger(directory).get("lapsed")))
        told = self.ledger(directory)
        self.assertEqual([each["node"] for each in told["lapsed"]], ["first"])
        self.assertIsNone(told["difference_between"])
        code, out, _ = process.run("mailroom", "ledger", "--directory", directory)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"difference unknown\n1 node ended without a last word, .*: first \(tcp://")

    def test_who_takes_the_address_of_one_that_was_killed_is_another(self):
        _, directory = self.directory()
        first, address = self.echo("first", directory)
        first.end(signal.SIGKILL)
        self.start("mailroom-echo", "--listen", address, "--name", "first", "--directory", directory)
        self.assertTrue(eventually(lambda: self.ledger(directory).get("lapsed")))
        self.assertEqual(names(directory), ["first"])

    def test_a_client_may_start_before_its_server(self):
        _, directory = self.directory()
        code, out, err = self.call(directory)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no_server", err)
        waits = subprocess.Popen(
            [process.binary("mailroom"), "call", "--directory", directory, "--topic", "echo", "--timeout", "30s",
             "--wait-for-ready", "echo", '["hello"]'], stdout=subprocess.PIPE, text=True)
        self.addCleanup(waits.wait)
        self.addCleanup(waits.kill)
        self.echo("late", directory)
        self.assertEqual(waits.communicate(timeout=process.PATIENCE)[0], '"hello"\n')

    def test_a_node_that_is_killed_is_no_ghost(self):
        _, directory = self.directory()
        killed, _ = self.echo("killed", directory)
        self.echo("lives", directory)
        killed.child.kill()
        killed.wait()
        oldest = []

        def is_gone():
            listed = nodes(directory)
            oldest.extend(each["renewed_ms"] for each in listed)
            return [each["name"] for each in listed] == ["lives"]

        self.assertTrue(eventually(is_gone))
        # Three heartbeats, and what it takes to look; a stopped machine is forgiven.
        self.assertLess(max(oldest), 3500)
        self.assertEqual(self.call(directory), (0, '"hello"\n', ""))

    def test_a_directory_does_not_register_where_the_environment_says(self):
        _, directory = self.directory()
        for_all = {"MAILROOM_DIRECTORY": directory}
        self.start("mailroom-directory", "--listen", ANY, environment=for_all)
        self.start("mailroom-echo", "--listen", ANY, "--name", "serves", environment=for_all)
        self.assertEqual(names(directory), ["serves"])

    def test_a_restart_at_the_same_address_is_one_node(self):
        _, directory = self.directory()
        first, address = self.echo("before", directory)
        first.child.kill()
        first.wait()
        self.start("mailroom-echo", "--listen", address, "--name", "after", "--directory", directory)
        self.assertEqual(names(directory), ["after"])
        self.assertEqual(self.call(directory), (0, '"hello"\n', ""))

    def test_traffic_survives_its_directory(self):
        directory, address = self.directory()
        caller = self.traffic(address)
        for how in (signal.SIGKILL, signal.SIGTERM):
            directory.child.send_signal(how)
            directory.wait()
            directory, _ = self.directory(address)
            self.is_back(address)
        self.ends_without_failures(caller, 10)  # It has called at all; how often is a matter of the machine.

    def test_traffic_survives_a_minute_without_its_directory(self):
        directory, address = self.directory()
        caller = self.traffic(address)
        directory.child.kill()
        directory.wait()
        time.sleep(60)  # What is tested: many times the length of a lease.
        self.directory(address)
        self.is_back(address)
        self.ends_without_failures(caller, 1000)

    def test_one_of_two_directories_may_die(self):
        dies, one = self.directory()
        _, two = self.directory()
        self.echo("first", one, two)
        self.assertEqual(names(one, two), ["first"])
        dies.child.kill()
        dies.wait()
        self.assertEqual(self.call(f"{one},{two}"), (0, '"hello"\n', ""))
        code, out, err = process.run("mailroom", "nodes", "--directory", f"{one},{two}", "--json")
        self.assertEqual(code, 0)
        self.assertEqual(len(json.loads(out)), 1)
        self.assertIn(one, err)
        self.echo("second", one, two)
        self.assertEqual(names(two), ["first", "second"])

    def test_a_stopped_directory_takes_nobody_for_dead(self):
        directory, address = self.directory(ANY, "--heartbeat", "200ms")
        self.start("mailroom-echo", "--listen", ANY, "--name", "lives", "--heartbeat", "200ms", "--directory", address)
        directory.child.send_signal(signal.SIGSTOP)
        time.sleep(1.5)  # What is tested: seven heartbeats of silence.
        directory.child.send_signal(signal.SIGCONT)
        self.assertTrue(eventually(lambda: names(address) == ["lives"]))
        self.assertFalse([line for line in directory.errors if "lease_ended" in line], directory.errors)

    def test_without_a_directory_the_command_says_so(self):
        gone, address = self.directory()
        gone.end()
        code, out, err = process.run("mailroom", "nodes", "--directory", address)
        self.assertEqual((code, out), (1, ""))
        self.assertIn(address, err)
        self.assertEqual(err.count("\n"), 1)
        code, _, err = process.run("mailroom", "nodes")
        self.assertEqual(code, 2)
        self.assertIn("--directory", err)


if __name__ == "__main__":
    process.main()
