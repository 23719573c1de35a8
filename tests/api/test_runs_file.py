#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The run history file beside the lease store: when it fails, its routes, the log and the
metrics report it, and leases keep working."""

import fcntl
import os
import signal
import sqlite3
import threading
import unittest

from harness import PATIENCE, Broker, cli_body

UNAVAILABLE = "lessor_runs_available"


class Desk(Broker):
    """A broker whose lessord gets extra environment variables."""

    def __init__(self, env=None, **options):
        self.env = env or (lambda home: {})
        super().__init__(**options)

    def start(self):
        before = dict(os.environ)
        os.environ.update(self.env(self.home))
        try:
            super().start()
        finally:
            os.environ.clear()
            os.environ.update(before)

    @property
    def runs(self):
        return self.home + "/store-runs"

    def stop(self):
        if self.kill(signal.SIGTERM) != 0:
            raise AssertionError(self.log())

    def new_run(self, lease=""):
        return self.ask("POST", "/v1/runs", self.alice,
                        {"leaseID": lease, "provider": "hetzner", "command": ["make"]})


class RunsFile(unittest.TestCase):
    def desk(self, **options):
        desk = Desk(**options)
        self.addCleanup(desk.close)
        return desk

    def leases_go_on(self, desk):
        """A whole life."""
        lease = desk.ask("POST", "/v1/leases", desk.alice, cli_body())
        self.assertEqual(lease.status, 201, lease)
        path = "/v1/leases/%s" % lease.lease["id"]
        self.assertEqual(desk.ask("POST", path + "/heartbeat", desk.alice, {}).status, 200)
        self.assertEqual(desk.ask("GET", path, desk.alice).status, 200)
        done = desk.ask("POST", path + "/release", desk.alice, {"delete": True})
        self.assertEqual((done.status, done.lease["state"]), (200, "released"), done)
        desk.sim_wait("servers=0")

    def is_without_runs(self, desk):
        run = "/v1/runs/run_0123456789ab"
        for method, path, body in (
                ("GET", "/v1/runs", None), ("GET", run, None), ("GET", run + "/logs", None),
                ("GET", run + "/events", None), ("GET", run + "/receipt", None),
                ("POST", "/v1/runs", {"command": ["make"]}),
                ("PUT", run, {"command": ["make"]}),
                ("POST", run + "/events", {"type": "stdout"}),
                ("POST", run + "/telemetry", {"telemetry": {"load1": 1}}),
                ("POST", run + "/finish", {"exitCode": 0, "log": "x"})):
            answer = desk.ask(method, path, desk.alice, body)
            self.assertEqual((answer.status, answer.error), (503, "store_unavailable"),
                             (method, path, answer))
        # Unauthorized callers get the usual error.
        self.assertEqual(desk.ask("GET", "/v1/runs", "nonsense").status, 401)
        self.assertEqual(desk.ask("POST", "/v1/runs", desk.reader, {}).status, 403)
        self.assertEqual(desk.metric(UNAVAILABLE), 0)
        self.leases_go_on(desk)

    def has_runs(self, desk):
        self.assertEqual(desk.new_run().status, 201)
        self.assertEqual(desk.ask("GET", "/v1/runs", desk.alice).status, 200)
        self.assertEqual(desk.metric(UNAVAILABLE), 1)

    def test_that_of_another_store_is_left_alone(self):
        desk = self.desk()
        self.has_runs(desk)
        desk.stop()
        other = sqlite3.connect(desk.runs)
        other.execute("UPDATE meta SET value = CAST('another' AS BLOB) WHERE key = 'pair'")
        other.commit()
        other.close()
        with open(desk.runs, "rb") as file:
            before = file.read()
        desk.start()
        self.is_without_runs(desk)
        self.assertEqual(desk.log().count("belongs to another store"), 1)
        desk.stop()
        with open(desk.runs, "rb") as file:
            self.assertEqual(file.read(), before)
        os.rename(desk.runs, desk.home + "/aside")
        desk.start()
        self.has_runs(desk)
        self.assertIn("the run history file was missing", desk.log())

    def test_a_damaged_one(self):
        desk = self.desk()
        self.has_runs(desk)
        desk.stop()
        with open(desk.runs, "r+b") as file:
            file.write(b"no database")
        desk.start()
        self.is_without_runs(desk)
        self.assertIn("damaged", desk.log())

    def test_one_that_breaks(self):
        stall = os.environ.get("LESSOR_STALL", "")
        if not stall:
            self.skipTest("a disk cannot be made to fail under a sanitizer")
        desk = self.desk(env=lambda home: {"LD_PRELOAD": stall, "STALL_ONLY": "/store-runs-wal",
                                           "STALL_FAIL": home + "/fail"})
        self.has_runs(desk)
        kept = desk.new_run().json["run"]["id"]
        with open(desk.home + "/fail", "wb"):
            pass
        answer = desk.new_run()
        self.assertEqual((answer.status, answer.error), (503, "store_unavailable"), answer)
        self.is_without_runs(desk)
        self.assertEqual(desk.log().count("run history is unavailable"), 1)
        desk.stop()
        os.unlink(desk.home + "/fail")
        desk.start()
        self.has_runs(desk)
        self.assertEqual(desk.ask("GET", "/v1/runs/" + kept, desk.alice).status, 200)

    def test_a_disk_that_hangs_holds_up_no_lease(self):
        stall = os.environ.get("LESSOR_STALL", "")
        if not stall:
            self.skipTest("a disk cannot be made to hang under a sanitizer")
        desk = self.desk(env=lambda home: {"LD_PRELOAD": stall, "STALL_ONLY": "/store-runs-wal",
                                           "STALL_GATE": home + "/gate"})
        with open(desk.home + "/gate", "wb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            answers = []
            worker = threading.Thread(target=lambda: answers.append(desk.new_run()))
            worker.start()
            self.leases_go_on(desk)
            # What was committed can be read; what was not committed gets no response.
            self.assertEqual(desk.ask("GET", "/v1/runs", desk.alice).json["runs"], [])
            self.assertEqual(answers, [])
            fcntl.flock(gate, fcntl.LOCK_UN)
        worker.join(PATIENCE)
        self.assertEqual([a.status for a in answers], [201])
        self.has_runs(desk)

    def test_tools_make_none(self):
        desk = self.desk()
        desk.stop()
        os.unlink(desk.runs)
        os.unlink(desk.runs + ".lock")
        desk.token("carol@example.com", "acme", "user")
        self.assertEqual([n for n in os.listdir(desk.home) if n.startswith("store-runs")], [])
        desk.start()

    def test_a_backup_of_both_is_whole(self):
        """As in the manual: sqlite3's .backup of both, copied back while lessord is stopped."""
        desk = self.desk()
        run = desk.new_run().json["run"]["id"]
        for name in ("store", "store-runs"):
            source = sqlite3.connect(desk.home + "/" + name)
            target = sqlite3.connect(desk.home + "/" + name + ".backup")
            source.backup(target)
            source.close()
            target.close()
        late = desk.new_run().json["run"]["id"]
        desk.kill()
        for name in ("store", "store-runs"):
            for end in ("-wal", "-shm"):
                if os.path.exists(desk.home + "/" + name + end):
                    os.unlink(desk.home + "/" + name + end)
            with open(desk.home + "/" + name + ".backup", "rb") as file:
                text = file.read()
            with open(desk.home + "/" + name, "wb") as file:
                file.write(text)
        desk.start()
        self.assertEqual(desk.ask("GET", "/v1/runs/" + run, desk.alice).status, 200)
        self.assertEqual(desk.ask("GET", "/v1/runs/" + late, desk.alice).status, 404)
        self.assertNotIn("was not there", desk.log())
        self.has_runs(desk)


if __name__ == "__main__":
    unittest.main()
