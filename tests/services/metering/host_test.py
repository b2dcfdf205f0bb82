"""What is done on this host is plainly visible in its meters.

Each meter must show what the test did: always all of it, and once more than what the host does by itself. On a host that is
busy with other things that may take some attempts; if it never comes to rest, the comparison is skipped.
"""

import http.server
import json
import os
import tempfile
import threading
import time
import urllib.request

import deployment
import process

ATTEMPTS = 8
SIZE = 50_000_000
SECTOR = 512


class Reading:
    """A counter at one moment: of all resources together."""

    def __init__(self, rows):
        self.at = time.monotonic()
        self.total = sum(row["max"] for row in rows)
        self.count = min(row["count"] for row in rows)


def write(folder):
    """50 MB on a disk, synced; what nobody could compress."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(os.urandom(SIZE))
        file.flush()
        os.fsync(file.fileno())


def download():
    """50 MB over loopback."""
    body = bytes(SIZE)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"http://127.0.0.1:{server.server_port}/", timeout=process.PATIENCE) as answer:
            assert len(answer.read()) == SIZE
        serving.join()


def work():
    """A second and a half of a core, however long it takes."""
    end = time.process_time() + 1.5
    while time.process_time() < end:
        pass


def written_by_kernel(disks):
    """Bytes written to these disks so far, as the kernel tells."""
    with open("/proc/diskstats", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return sum(int(fields[9]) * SECTOR for fields in lines if fields[2] in disks)


class Host(deployment.Deployment):
    def rows(self, address, meter, of):
        return [row for row in json.loads(self.statistics(address, "--meter", meter)) if row["resource"].endswith(of)]

    def later(self, address, meter, of, more):
        """A reading when so many more samples have been taken than now."""
        def count():
            return min((row["count"] for row in self.rows(address, meter, of)), default=0)

        enough = count() + more
        deployment.until(lambda: count() >= enough, f"{enough} samples of {meter}")
        return Reading(self.rows(address, meter, of))

    def shows(self, action, meter, amount, of=""):
        self.database = os.path.join(self.folder, f"{meter}.db")
        with self.collector("--quiet") as collector:
            address = collector.ready()
            with self.poller(address, "--interval", "100ms"):
                begun = self.later(address, meter, of, 2)
                for _ in range(ATTEMPTS):
                    before = self.later(address, meter, of, 5)
                    quiet = (before.total - begun.total) / (before.at - begun.at)
                    action()
                    # The next sample may have been taken before the end of it.
                    after = self.later(address, meter, of, 2)
                    self.assertGreaterEqual(after.total - before.total, amount)
                    if after.total - before.total - quiet * (after.at - before.at) > 0.8 * amount:
                        return
                    begun = after
        self.skipTest(f"this host never came to rest: {quiet:.0f} a second of {meter} by itself")

    def test_shows_a_busy_core_in_cpu(self):
        self.shows(work, "cpu.busy", 1.2e9)

    def test_shows_a_download_in_network(self):
        for meter in ("network.incoming.bytes", "network.outgoing.bytes"):
            with self.subTest(meter):
                self.shows(download, meter, SIZE, of=":lo")

    def test_shows_a_synced_write_in_disk(self):
        with self.collector("--quiet") as collector:
            address = collector.ready()
            with self.poller(address, "--interval", "100ms"):
                deployment.until(lambda: self.stored(address, "load.1m") > 0, "a sample")
                disks = {row["resource"].split(":")[-1] for row in self.rows(address, "disk.write.bytes", "")}
        # The temporary folder may be in memory, and a container may not see the disk that it writes to.
        for folder in (self.folder, process.BINARIES):
            before = written_by_kernel(disks)
            write(folder)
            if disks and written_by_kernel(disks) - before >= SIZE:
                self.shows(lambda: write(folder), "disk.write.bytes", SIZE)  # pylint: disable=cell-var-from-loop
                return
        self.skipTest("what is written here reaches no disk of /proc/diskstats")


if __name__ == "__main__":
    process.main()
