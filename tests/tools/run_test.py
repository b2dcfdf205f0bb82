"""tools/run with the real services, already built: cmake is only asked."""

import json
import os
import signal
import subprocess

import scratch

SNAPSHOTS = os.path.join(scratch.ROOT, "tests", "services", "metering", "snapshots")


class Run(scratch.Scratch):
    script = "run"

    def setUp(self):
        super().setUp()
        self.stand_in("setup", folder=os.path.join(self.root, "tools"))
        self.stand_in("cmake")
        os.makedirs(os.path.join(self.root, "build", "release"))
        os.symlink(scratch.BINARIES, os.path.join(self.root, "build", "release", "bin"))

    def databases(self):
        return [name for name in os.listdir(os.path.join(self.root, "build", "run")) if name.endswith(".db")]

    def measures_this_host(self, executor):
        code, out, err = self.run_it("--seconds", "2", "--json", f"--executor={executor}")
        self.assertEqual(code, 0, err)
        rows = {row["meter"]: row for row in json.loads(out)}
        self.assertGreaterEqual(rows["cpu.busy"]["count"], 2)
        self.assertIn("network.incoming.bytes", rows)
        self.assertIn(f"executor {executor}", err)
        self.assertIn("drained cleanly", err)
        self.assertEqual(len(self.databases()), 1)

    def test_explains_itself(self):
        self.explains_itself()

    def test_refuses_wrong_flags_and_names_them(self):
        self.refuses("--executor", "nonsense",
                     naming=["--executor", "nonsense", "loop-bound", "work-stealing", "cooperative"])
        for seconds in ("abc", "0", "-1", "1.5", "86401", ""):
            self.refuses("--seconds", seconds, naming=["--seconds", f"'{seconds}'"])
        self.refuses("--proc-root", os.path.join(self.root, "gone"), naming=["--proc-root", "gone"])
        self.refuses("--seconds", naming=["--seconds"])
        self.refuses("--bogus", naming=["--bogus"])
        self.refuses("--bogus=1", naming=["--bogus"])
        self.refuses("now", naming=["now"])

    def test_measures_this_host_on_cooperative(self):
        self.measures_this_host("cooperative")

    def test_measures_this_host_on_work_stealing(self):
        self.measures_this_host("work-stealing")

    def test_measures_this_host_on_loop_bound(self):
        self.measures_this_host("loop-bound")

    def test_builds_what_it_runs_and_shows_people_a_table(self):
        code, out, err = self.run_it("--proc-root", SNAPSHOTS)
        self.assertEqual(code, 0, err)
        self.assertIn("drained cleanly", out)
        self.assertRegex(out, r"(?m)^cpu\.util ")
        setup, configure, build = self.calls()
        self.assertEqual((setup.strip(), configure), ("setup", "cmake --preset release -DMAILROOM_UNITY=ON"))
        self.assertTrue(build.endswith(" --target mailroom-collector mailroom-poller mailroom-metering"), build)

    def test_runs_nothing_that_could_not_be_built(self):
        self.stand_in("cmake", 'if [[ $1 == --build ]]; then echo "no compiler" >&2; exit 1; fi')
        code, _, err = self.run_it("--proc-root", SNAPSHOTS)
        self.assertEqual(code, 1)
        self.assertIn("no compiler", err)
        self.assertFalse(os.path.exists(os.path.join(self.root, "build", "run")))

    def test_ends_what_it_started_when_it_is_told_to_end(self):
        with subprocess.Popen(self.command("--seconds", "3600"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.environment()) as running:
            # What it shows while it measures; the pipe closes when the last process has ended.
            for line in running.stdout:
                if "load" in line:
                    break
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=scratch.PATIENCE)
            self.assertEqual(running.returncode, 128 + signal.SIGTERM)


if __name__ == "__main__":
    scratch.main()
