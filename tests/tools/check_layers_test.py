"""Plants a violation of every kind and looks whether tools/check_layers finds it."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class CheckLayers(unittest.TestCase):
    def look_at(self, files):
        """Runs the check over a tree of {path: text}; gives the exit code and what it said."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as out:
                    out.write(text)
            ran = subprocess.run(
                [sys.executable, os.path.join(ROOT, "tools/check_layers"), "--root", root],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
            return ran.returncode, ran.stderr

    def refuses(self, path, include, saying):
        code, said = self.look_at({path: f"#pragma once\n#include {include}\n"})
        self.assertEqual(code, 1, f"{path} includes {include}: not found")
        self.assertIn(f"{path}:2: ", said)
        self.assertIn(saying, said)

    def accepts(self, path, include):
        code, said = self.look_at({path: f"#include {include}\n"})
        self.assertEqual((code, said), (0, ""), f"{path} includes {include}")

    def test_accepts_what_lies_below(self):
        self.accepts("framework/rpc/client.cpp", "<mailroom/framework/base/error.hpp>")
        self.accepts("framework/executors/a.cpp", "<mailroom/framework/observability/log.hpp>")
        self.accepts("services/echo/main.cpp", "<mailroom/services/host/node.hpp>")
        self.accepts("services/echo/main.cpp", "<mailroom/mailroom.hpp>")
        self.accepts("tools/mailroom/call.cpp", "<mailroom/transports/zmq/transport.hpp>")
        self.accepts("tests/framework/wire/a_test.cpp", "<mailroom/tools/mailroom/call.hpp>")
        self.accepts("transports/zmq/a.cpp", "<vector>")

    def test_refuses_an_include_that_climbs(self):
        for path, include in [
                ("framework/base/a.hpp", "framework/wire/frame.hpp"),
                ("framework/wire/a.hpp", "framework/executors/executor.hpp"),
                ("framework/executors/a.hpp", "framework/async/task.hpp"),
                ("framework/async/a.hpp", "framework/rpc/client.hpp"),
                ("framework/rpc/a.hpp", "transports/local/transport.hpp"),
                ("framework/rpc/a.hpp", "actors/runtime.hpp"),
                ("transports/zmq/a.hpp", "services/host/node.hpp"),
                ("actors/a.hpp", "services/host/node.hpp"),
                ("actors/a.hpp", "mailroom.hpp"),
                ("services/host/a.hpp", "services/echo/echo.hpp"),
                ("services/echo/a.hpp", "tools/mailroom/call.hpp")]:
            self.refuses(path, f"<mailroom/{include}>", "it is above")

    def test_refuses_actors_and_transports_to_know_each_other(self):
        self.refuses("actors/a.hpp", "<mailroom/transports/zmq/transport.hpp>", "do not know")
        self.refuses("transports/zmq/a.hpp", "<mailroom/actors/runtime.hpp>", "do not know")

    def test_refuses_includes_of_tests(self):
        self.refuses("tools/mailroom/a.cpp", "<mailroom/tests/framework/fake.hpp>", "includes tests")
        self.refuses("framework/base/a.cpp", "<mailroom/tests/framework/fake.hpp>", "includes tests")

    def test_refuses_a_circle(self):
        code, said = self.look_at({
            "framework/wire/a.hpp": "#include <mailroom/framework/observability/b.hpp>\n",
            "framework/observability/b.hpp": "#include <mailroom/framework/wire/a.hpp>\n"})
        self.assertEqual(code, 1)
        self.assertIn("circle framework/observability -> framework/wire -> framework/observability",
                      said)

    def test_refuses_a_circle_of_services(self):
        code, said = self.look_at({
            "services/a/a.hpp": "#include <mailroom/services/b/b.hpp>\n",
            "services/b/b.hpp": "#include <mailroom/services/c/c.hpp>\n",
            "services/c/c.hpp": "#include <mailroom/services/a/a.hpp>\n"})
        self.assertEqual(code, 1)
        self.assertIn("circle services/a -> services/b -> services/c -> services/a", said)

    def test_refuses_a_foreign_library_in_the_wrong_house(self):
        for include, wrong, right in [
                ("caf/actor.hpp", "framework/rpc/a.cpp", "actors/a.cpp"),
                ("zmq.h", "services/host/a.cpp", "transports/zmq/a.cpp"),
                ("zmq.hpp", "tools/mailroom/bench/call.cpp", "tools/mailroom/bench/raw_echo.cpp"),
                ("sqlite3.h", "services/echo/a.cpp", "services/metering/a.cpp"),
                ("toml++/toml.h", "framework/base/config.hpp", "framework/base/config.cpp"),
                ("spdlog/spdlog.h", "framework/wire/a.cpp", "framework/observability/log.cpp"),
                ("CLI/CLI.hpp", "framework/base/a.cpp", "tools/mailroom/main.cpp"),
                ("boost/asio.hpp", "framework/async/a.cpp", "framework/executors/a.cpp"),
                ("boost/asio/ip/tcp.hpp", "framework/base/a.cpp", "transports/zmq/a.cpp"),
                ("boost/context/fiber.hpp", "actors/a.cpp", "framework/async/fiber.cpp"),
                ("msgpack.hpp", "framework/rpc/a.cpp", "framework/rpc/a.hpp"),
                ("nlohmann/json.hpp", "framework/wire/frame.cpp", "framework/wire/json.cpp")]:
            self.refuses(wrong, f"<{include}>", "lives in")
            self.accepts(right, f"<{include}>")
            self.accepts("tests/conformance/a_test.cpp", f"<{include}>")

    def test_refuses_a_relative_include(self):
        self.refuses("framework/base/a.cpp", '"a.hpp"', "is relative")
        self.refuses("tests/framework/base/a_test.cpp", '"fake.hpp"', "is relative")

    def test_refuses_an_include_of_ours_without_our_name(self):
        self.refuses("framework/rpc/a.cpp", "<framework/base/error.hpp>", "lacks mailroom/")

    def test_refuses_a_folder_without_a_floor(self):
        self.refuses("framework/attic/a.cpp", "<mailroom/framework/base/error.hpp>", "no floor")


if __name__ == "__main__":
    unittest.main()
