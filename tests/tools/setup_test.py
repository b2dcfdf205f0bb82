"""tools/setup with a dpkg-query and an apt-get that only say what they were asked: nothing is installed."""

import os
import shutil

import scratch


class Setup(scratch.Scratch):
    script = "setup"
    path = ()  # Whatever it starts beside these few is not found.

    def setUp(self):
        super().setUp()
        for name in ("cat", "env"):
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.packages = self.run_it("--list")[1].split()
        self.stand_in("apt-get")

    def missing(self, *names):
        """A system that has everything but these."""
        self.stand_in("dpkg-query", f"case ' {' '.join(names)} ' in *\" ${{*: -1}} \"*) exit 1 ;; esac\necho 'ii '")

    def as_nobody(self, *arguments):
        if os.geteuid() != 0:
            return self.run_it(*arguments)
        return self.run_it(*arguments, user=scratch.NOBODY, group=scratch.NOBODY, extra_groups=[])

    def asked_of_apt(self):
        return [call for call in self.calls() if call.startswith("apt-get")]

    def test_explains_itself(self):
        self.explains_itself()

    def test_refuses_what_it_does_not_know(self):
        self.refuses("--chekcs", naming=["tools/setup", "--chekcs"])
        self.refuses("--checks", "g++", naming=["tools/setup", "g++"])

    def test_lists_the_packages_and_does_nothing(self):
        self.assertIn("libcaf-dev", self.packages)
        self.assertEqual(len(self.packages), len(set(self.packages)))
        self.assertEqual(self.calls(), [])

    def test_is_silent_when_it_is_all_there(self):
        self.missing()
        self.assertEqual(self.as_nobody(), (0, "", ""))
        asked = [call.split()[-1] for call in self.calls()]
        self.assertEqual(sorted(asked), sorted(self.packages))

    def test_tells_who_may_not_install_exactly_what_is_missing(self):
        for absent in (["libcaf-dev"], ["ninja-build", "libcaf-dev", "libsqlite3-dev"], self.packages):
            with self.subTest(absent):
                self.missing(*absent)
                code, out, err = self.as_nobody()
                self.assertEqual((code, out), (1, ""))
                lines = err.splitlines()
                self.assertEqual(lines[1].split(), absent)
                self.assertEqual(lines[2], "Install them as root: apt-get install " + " ".join(absent))
        self.assertEqual(self.asked_of_apt(), [])

    def test_installs_what_is_missing_and_nothing_else(self):
        self.missing("ninja-build", "libcaf-dev")
        if os.geteuid() != 0:
            self.stand_in("sudo", '[[ $1 == -n ]] && shift\nexec "$@"')
        code, _, err = self.run_it()
        self.assertEqual((code, err), (0, ""))
        update, install = self.asked_of_apt()
        self.assertTrue(update.endswith(" update"), update)
        self.assertTrue(install.endswith(" install -y --no-install-recommends ninja-build libcaf-dev"), install)

    def test_uses_sudo_if_that_asks_for_no_password(self):
        self.missing("ninja-build")
        self.stand_in("sudo", '[[ $1 == -n ]] && shift\nexec "$@"')
        self.stand_in("true")
        code, _, err = self.as_nobody()
        self.assertEqual((code, err), (0, ""))
        self.assertIn("sudo env DEBIAN_FRONTEND=noninteractive apt-get", "\n".join(self.calls()))
        self.stand_in("sudo", "exit 1")  # It would ask.
        code, _, err = self.as_nobody()
        self.assertEqual(code, 1)
        self.assertIn("ninja-build", err)

    def test_fails_when_apt_does(self):
        self.missing("ninja-build")
        self.stand_in("sudo", '[[ $1 == -n ]] && shift\nexec "$@"')
        self.stand_in("true")
        self.stand_in("apt-get", "exit 100")
        self.assertNotEqual(self.as_nobody()[0], 0)

    def test_says_what_to_install_where_there_is_no_apt(self):
        os.remove(os.path.join(self.bin, "apt-get"))
        code, out, err = self.run_it()
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err.splitlines()[1].split(), self.packages)


if __name__ == "__main__":
    scratch.main()
