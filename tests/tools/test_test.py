"""tools/test with a cmake and a ctest that only say what they were asked."""

import os

import scratch


class Test(scratch.Scratch):
    script = "test"

    def setUp(self):
        super().setUp()
        self.stand_in("setup", folder=os.path.join(self.root, "tools"))
        self.stand_in("cmake")
        self.stand_in("ctest")

    def asked_of_ctest(self, *arguments):
        code, _, err = self.run_it(*arguments)
        self.assertEqual((code, err), (0, ""))
        return self.calls()[-1]

    def test_explains_itself(self):
        self.explains_itself()

    def test_refuses_what_it_does_not_know_and_runs_nothing(self):
        for wrong in ("--bogus", "--lnog", "-R", "client"):
            self.refuses(wrong, naming=["tools/test", wrong])
        self.refuses("--long", "--bogus", naming=["--bogus"])

    def test_installs_then_builds_then_tests(self):
        self.asked_of_ctest()
        steps = [call.split(" --parallel")[0].strip() for call in self.calls()]
        self.assertEqual(steps, ["setup --tests", "cmake --preset release -DMAILROOM_UNITY=ON",
                                 "cmake --build --preset release", "ctest --test-dir build/release"])

    def test_leaves_a_build_folder_as_it_was_configured(self):
        os.makedirs(os.path.join(self.root, "build", "release"))
        with open(os.path.join(self.root, "build", "release", "CMakeCache.txt"), "w", encoding="utf-8"):
            pass
        self.asked_of_ctest()
        self.assertIn("cmake --preset release", [call.strip() for call in self.calls()])

    def test_leaves_out_what_takes_long_unless_told(self):
        self.assertIn(" -LE ^long$", self.asked_of_ctest())
        self.assertNotIn("-LE", self.asked_of_ctest("--long"))

    def test_hands_what_follows_two_dashes_to_ctest(self):
        self.assertTrue(self.asked_of_ctest("--", "-R", "^call").endswith(" -LE ^long$ -R ^call"))
        self.assertTrue(self.asked_of_ctest("--long", "--", "--help").endswith(" --help"))

    def test_fails_when_a_step_does(self):
        self.stand_in("ctest", "exit 8")
        self.assertEqual(self.run_it()[0], 8)
        self.stand_in("cmake", "echo what is wrong; exit 1")
        code, _, err = self.run_it()
        self.assertEqual((code, err), (1, "what is wrong\n"))
        self.assertEqual(self.calls()[-1], "cmake --preset release -DMAILROOM_UNITY=ON")


if __name__ == "__main__":
    scratch.main()
