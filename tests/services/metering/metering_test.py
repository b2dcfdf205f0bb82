"""Collector and poller as processes: what they store, and what they survive."""

import fcntl
import json
import os
import resource
import signal
import subprocess

import deployment
import process
from deployment import HERE, ROOT, until

SNAPSHOTS = os.path.join(HERE, "snapshots")
STATISTICS = os.path.join(ROOT, "services", "metering", "statistics.sql")
EXECUTORS = ("cooperative", "work-stealing", "loop-bound")
COLUMNS = ("meter", "resource", "kind", "unit", "count", "min", "avg", "max", "rate")


def moments_in(folder):
    """The snapshots in it."""
    return sorted(name for name in os.listdir(folder) if name.isdigit())


class Metering(deployment.Deployment):
    def sqlite3(self, sql):
        return subprocess.run(["sqlite3", "-batch", self.database], input=sql, capture_output=True, text=True,
                              check=True).stdout

    def replay(self, executor):
        """The JSON of the statistics, and what sqlite3 says about the file."""
        with self.collector("--executor", executor) as collector:
            address = collector.ready()
            with self.poller(address, "--proc-root", SNAPSHOTS, "--executor", executor) as poller:
                self.assertEqual(poller.wait(), 0, poller.errors)
            answer = self.statistics(address)
            self.assertEqual(collector.end(), 0, collector.errors)
        with open(STATISTICS, encoding="utf-8") as file:
            told = self.sqlite3(file.read())
        os.remove(self.database)
        return answer, told

    def test_replays_the_same_figures_under_every_executor_and_in_sqlite3(self):
        answers = [self.replay(executor) for executor in EXECUTORS]
        first, told = answers[0]
        for answer, _ in answers:
            self.assertEqual(answer, first)
        # The digits as they are written, not what they mean.
        rows = json.loads(first, parse_float=str, parse_int=str)
        lines = ["|".join(row[name] or "" for name in COLUMNS) for row in rows]
        self.assertEqual(lines, told.splitlines())
        counts = {row["meter"]: int(row["count"]) for row in rows}
        self.assertEqual(counts["cpu.busy"], len(moments_in(SNAPSHOTS)))
        for meter in ("cpu.util", "memory.used", "load.1m", "disk.write.bytes", "network.incoming.bytes"):
            self.assertIn(meter, counts)

    def test_stores_a_replay_only_once_when_it_is_repeated(self):
        with self.collector("--quiet") as collector:
            address = collector.ready()
            answers = []
            for _ in range(2):
                with self.poller(address, "--proc-root", SNAPSHOTS) as poller:
                    self.assertEqual(poller.wait(), 0, poller.errors)
                answers.append(self.statistics(address))
            self.assertEqual(answers[0], answers[1])
            with open("/dev/full", "w", encoding="utf-8") as full:
                code, err = process.run_into(full, "mailroom-metering", "statistics", "--connect", address)
            self.assertEqual((code, len(err.splitlines())), (1, 1), err)

    def test_shows_a_row_for_each_batch(self):
        with self.collector() as collector:
            address = collector.ready()
            with self.poller(address, "--proc-root", SNAPSHOTS) as poller:
                self.assertEqual(poller.wait(), 0, poller.errors)
            self.assertIn("cpu", collector.line())
            for _ in moments_in(SNAPSHOTS):
                collector.line(lambda line: "GB" in line)

    def test_goes_on_when_the_collector_was_killed(self):
        with self.collector("--quiet") as collector:
            address = collector.ready()
            with self.poller(address, "--interval", "50ms") as poller:
                until(lambda: self.stored(address, "load.1m") > 3, "the first samples")
                collector.end(signal.SIGKILL)
                until(lambda: any("collector_away" in line for line in poller.errors), "it notices")
                with self.collector("--quiet", listen=address) as again:
                    self.assertEqual(again.ready(), address)
                    before = self.stored(address, "load.1m")
                    self.assertGreater(before, 3)  # What was confirmed is there.
                    until(lambda: self.stored(address, "load.1m") > before + 3, "more samples")
                    until(lambda: any("collector_back" in line for line in poller.errors), "it says so")
                    self.assertEqual(poller.end(), 0, poller.errors)
                    self.assertEqual(again.end(), 0, again.errors)

    def test_drops_the_oldest_while_the_collector_is_away_and_says_so(self):
        with self.collector("--quiet") as collector:
            address = collector.ready()
            self.assertEqual(collector.end(), 0)
        with self.poller(address, "--interval", "10ms", "--keep", "5") as poller:
            until(lambda: any("collector_away" in line for line in poller.errors), "it notices")
            with self.collector("--quiet", listen=address) as again:
                again.ready()
                until(lambda: any("collector_back" in line for line in poller.errors), "it comes back")
                back = next(line for line in poller.errors if "collector_back" in line)
                self.assertNotIn("dropped_so_far=0", back)
                self.assertEqual(poller.end(), 0, poller.errors)

    def test_records_snapshots_that_can_be_replayed(self):
        recorded = os.path.join(self.folder, "recorded")
        with process.Process("mailroom-poller", "--record", recorded, "--interval", "100ms", "--seconds", "1") as poller:
            self.assertEqual(poller.wait(), 0, poller.errors)
        moments = moments_in(recorded)
        self.assertGreater(len(moments), 1)
        for path in ("stat", "meminfo", "loadavg", "net/dev"):
            self.assertTrue(os.path.exists(os.path.join(recorded, moments[0], path)), path)
        with self.collector("--quiet") as collector:
            address = collector.ready()
            with self.poller(address, "--proc-root", recorded) as poller:
                self.assertEqual(poller.wait(), 0, poller.errors)
            self.assertEqual(self.stored(address, "cpu.busy"), len(moments))

    def test_says_that_the_disk_is_full_and_lives_on(self):
        # A limit on the size of files fails writes as a full disk does.
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

        with self.collector("--quiet", preexec_fn=limit, restore_signals=False) as collector:
            address = collector.ready()
            with self.poller(address, "--interval", "10ms") as poller:
                until(lambda: any("metering database" in line for line in poller.errors), "it hears why")
                self.assertIn("io:", next(line for line in poller.errors if "metering database" in line))
                self.assertGreater(self.stored(address, "load.1m"), 0)
                poller.end()
            self.assertEqual(collector.end(), 0, collector.errors)

    def test_does_not_start_with_a_file_that_cannot_be_opened(self):
        code, out, err = process.run("mailroom-collector", "--listen", "tcp://127.0.0.1:0", "--database",
                                     os.path.join(self.folder, "no", "such.db"))
        self.assertIn(code, (1, 2))
        self.assertEqual(out, "")
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn("such.db", err)

    def test_does_not_start_without_the_name_of_a_file(self):
        code, out, err = process.run("mailroom-collector", "--listen", "tcp://127.0.0.1:0", "--database", "")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("--database", err)

    def test_goes_on_when_nobody_reads_what_it_shows(self):
        reads, writes = os.pipe()
        fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
        collector = subprocess.Popen(
            [process.binary("mailroom-collector"), "--listen", "tcp://127.0.0.1:0", "--database", self.database],
            stdin=subprocess.DEVNULL, stdout=writes, env=process.clean_environment())
        try:
            os.close(writes)
            address = os.read(reads, 4096).decode().splitlines()[0].split()[1]
            with self.poller(address, "--interval", "10ms") as poller:
                until(lambda: self.stored(address, "load.1m") > 200, "more than the pipe holds")
                self.assertEqual(poller.end(), 0, poller.errors)
            collector.terminate()
            self.assertEqual(collector.wait(timeout=process.PATIENCE), 0)
        finally:
            os.close(reads)
            if collector.poll() is None:
                collector.kill()
                collector.wait()

    def test_does_not_poll_without_a_collector_or_a_proc(self):
        code, _, err = process.run("mailroom-poller")
        self.assertEqual(code, 2)
        self.assertIn("--connect", err)
        with self.collector("--quiet") as collector:
            code, _, err = process.run("mailroom-poller", "--connect", collector.ready(), "--proc-root", self.folder)
            self.assertEqual(code, 2)
            self.assertIn("--proc-root: '" + self.folder, err)

    def test_explains_itself_with_an_example(self):
        for name, *words, flag in (("mailroom-collector", "--database"), ("mailroom-poller", "--connect"),
                                   ("mailroom-metering", "--connect"),
                                   ("mailroom-metering", "statistics", "--connect")):
            code, out, err = process.run(name, *words, "--help")
            self.assertEqual((code, err), (0, ""), name)
            example = next(line for line in out.splitlines() if line.startswith("Example: " + name))
            self.assertIn(flag, example)

    def test_refuses_wrong_usage_of_statistics(self):
        for arguments in ((), ("statistics",), ("statistics", "--connect", "tcp://127.0.0.1:1", "--josn"),
                          ("statistics", "--connect", "nonsense")):
            code, out, err = process.run("mailroom-metering", *arguments)
            self.assertEqual((code, out), (2, ""), arguments)
            self.assertEqual(len(err.splitlines()), 1, err)
        code, _, err = process.run("mailroom-metering", "statistics", "--connect", "tcp://127.0.0.1:1")
        self.assertEqual(code, 1)
        self.assertEqual(len(err.splitlines()), 1, err)


if __name__ == "__main__":
    process.main()
