"""mailroom-postgres as a process."""

import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import process  # noqa: E402
import scratch_server  # noqa: E402


class Postgres(unittest.TestCase):
    def serving(self, database, *arguments):
        return process.Process("mailroom-postgres", "--listen", "tcp://127.0.0.1:0", "--database", database, *arguments)

    def call(self, address, method, *arguments):
        return process.run("mailroom", "call", "--connect", address, "--topic", "postgres", "--timeout", "20s", method,
                           json.dumps(arguments))

    def rows(self, address, sql, parameters=()):
        code, out, err = self.call(address, "query", sql, parameters)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)["rows"]

    def test_answers_and_drains_and_goes_on_when_the_server_comes_back(self):
        with scratch_server.ScratchServer() as server:
            for executor in ("cooperative", "work-stealing", "loop-bound"):
                with self.subTest(executor), self.serving(server.settings, "--executor", executor) as serving:
                    address = serving.ready()
                    self.assertEqual(self.rows(address, "select $1::int + 1, null", ["41"]), [["42", None]])
                    code, out, err = self.call(address, "query", "select * from nowhere", [])
                    self.assertEqual((code, out), (1, ""))
                    self.assertIn("sql_error", err)
                    self.assertIn('relation "nowhere" does not exist', err)
                    server.stop()
                    code, out, err = self.call(address, "query", "select 1", [])
                    self.assertEqual((code, out), (1, ""))
                    self.assertIn("connection_error", err)
                    server.start()
                    self.assertEqual(self.rows(address, "select 1"), [["1"]])
                    code, out, _ = self.call(address, "together", ["select 1", "select 2"])
                    self.assertEqual([each["rows"] for each in json.loads(out)], [[["1"]], [["2"]]])
                    self.assertEqual(serving.end(), 0, serving.errors)

    def test_does_not_start_with_settings_that_cannot_be(self):
        code, out, err = process.run("mailroom-postgres", "--database", "hots=/run/postgresql")
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn("hots", err)
        code, _, err = process.run("mailroom-postgres", "--connections", "0")
        self.assertEqual(code, 2)
        self.assertIn("connections", err)

    def test_shows_an_example_and_no_password(self):
        code, out, _ = process.run("mailroom-postgres", "--help")
        self.assertEqual(code, 0)
        self.assertIn('Example: mailroom-postgres --listen tcp://127.0.0.1:7001 --database "host=', out)
        code, out, err = process.run("mailroom-postgres", "--database", "password=rosebud", "--print-config")
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("rosebud", out)


if __name__ == "__main__":
    process.main()
