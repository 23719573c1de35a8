#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Run history as the crabbox CLI writes and reads it, exchange by exchange."""

import http.client
import json
import secrets
import threading
import unittest

import shapes
from harness import BrokerCase, cli_body, new_id

SAMPLE = {"capturedAt": "2026-08-21T10:00:00Z", "source": "ssh-linux", "load1": 0.5, "cpuCount": 4}


def new_run_id():
    return "run_" + secrets.token_hex(6)


class Runs(BrokerCase):
    def ok(self, method, path, body=None, status=200, who="alice"):
        answer = self.ask(method, path, getattr(self.broker, who), body)
        self.assertEqual(answer.status, status, answer)
        for key, spec in (("run", shapes.RUN), ("event", shapes.EVENT)):
            if key in answer.json:
                self.assertEqual(shapes.wrong(answer.json[key], spec), [], answer)
        for key, spec in (("runs", shapes.RUN), ("events", shapes.EVENT)):
            self.assertEqual(shapes.wrong(answer.json.get(key), [spec]), [], answer)
        return answer.json

    def fails(self, who, method, path, body, status, code):
        self.error(self.ask(method, path, getattr(self.broker, who), body), status, code)

    def begin(self, who="alice", **changes):
        """As `run` does before it has a lease."""
        body = {"leaseID": "", "provider": "hetzner", "target": "linux", "windowsMode": "normal",
                "class": "beast", "serverType": "ccx63", "command": ["sh", "-c", "make test"]}
        body.update(changes)
        return self.ok("POST", "/v1/runs", body, 201, who)["run"]

    def event(self, run, kind, **fields):
        return self.ok("POST", "/v1/runs/%s/events" % run["id"], dict(fields, type=kind),
                       201)["event"]

    def finish(self, run, exit_code=0, **fields):
        body = {"exitCode": exit_code, "syncMs": 120, "commandMs": 3400, "log": "tail\n",
                "logChunks": None, "logTruncated": False, "results": None}
        body.update(fields)
        return self.ok("POST", "/v1/runs/%s/finish" % run["id"], body)["run"]

    def log(self, run, who="alice"):
        answer = self.ask("GET", "/v1/runs/%s/logs" % run["id"], getattr(self.broker, who))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
        return answer.body

    def test_a_run_from_beginning_to_end(self):
        lease = self.create()
        run = self.begin(label="nightly")
        self.assertRegex(run["id"], "^run_[0-9a-f]{12}$")
        self.assertEqual((run["state"], run["leaseID"], run["exitCode"], run["results"]),
                         ("running", "", None, None))
        self.assertEqual(run["command"], ["sh", "-c", "make test"])
        self.assertEqual(self.log(run), b"")
        seqs = [self.event(run, "leasing.started")["seq"],
                self.event(run, "lease.created", leaseID=lease["id"], slug=lease["slug"],
                           provider="hetzner", **{"class": "beast"},
                           serverType=lease["serverType"])["seq"],
                self.event(run, "bootstrap.waiting")["seq"],
                self.event(run, "sync.finished", message="files=1")["seq"],
                self.event(run, "command.started", phase="command")["seq"],
                self.event(run, "stdout", stream="stdout", data="hello\u0000\u001b[0m\n")["seq"]]
        # The broker itself adds the first event; the sequence has no gaps.
        self.assertEqual(seqs, [2, 3, 4, 5, 6, 7])
        got = self.ok("GET", "/v1/runs/" + run["id"])["run"]
        self.assertEqual((got["leaseID"], got["slug"], got["phase"], got["leaseIDs"]),
                         (lease["id"], lease["slug"], "command", [lease["id"]]))
        for n in range(3):
            self.ok("POST", "/v1/runs/%s/telemetry" % run["id"], {
                "telemetry": dict(SAMPLE, load1=n, capturedAt="2026-08-21T10:0%d:00Z" % n)})
        results = {"format": "junit", "files": ["junit.xml"], "suites": 1, "tests": 2,
                   "failures": 1, "errors": 0, "skipped": 0, "timeSeconds": 0.5, "failed": [
                       {"suite": "s", "name": "bad", "classname": "c", "message": "it broke",
                        "type": "T", "kind": "failure", "other": 1}]}
        done = self.finish(run, 3, results=results, logChunks=["one\n", "two\u20ac\n"],
                           telemetry={"end": dict(SAMPLE, load1=9,
                                                  capturedAt="2026-08-21T10:09:00Z")})
        self.assertEqual((done["state"], done["exitCode"], done["syncMs"], done["commandMs"]),
                         ("failed", 3, 120, 3400))
        self.assertEqual((done["logBytes"], done["logTruncated"]), (11, False))
        self.assertGreaterEqual(done["durationMs"], 0)
        self.assertEqual(self.log(run), b"one\ntwo\xe2\x82\xac\n")
        # The client sends this event after the finish.
        self.event(run, "lease.released")
        got = self.ok("GET", "/v1/runs/" + run["id"])["run"]
        self.assertEqual(got["phase"], "failed")
        self.assertEqual(got["results"]["failed"][0],
                         {k: v for k, v in results["failed"][0].items() if k != "other"})
        self.assertEqual([got["telemetry"][k]["load1"] for k in ("start", "end")], [0, 9])
        self.assertEqual(len(got["telemetry"]["samples"]), 4)
        kinds = [e["type"] for e in self.ok("GET", "/v1/runs/%s/events" % run["id"])["events"]]
        self.assertEqual(kinds[:2] + kinds[-3:],
                         ["run.started", "leasing.started", "stdout", "command.finished",
                          "lease.released"])
        out = [e for e in self.ok("GET", "/v1/runs/%s/events" % run["id"])["events"]
               if e["type"] == "stdout"]
        self.assertEqual((out[0]["data"], out[0]["stream"], out[0]["phase"]),
                         ("hello\0\x1b[0m\n", "stdout", "command"))
        self.assertEqual(got["eventCount"], len(kinds))
        # A second finish changes nothing.
        again = self.finish(run, 0, logChunks=["other"])
        self.assertEqual((again["exitCode"], again["endedAt"]), (3, done["endedAt"]))
        self.assertEqual(self.log(run), b"one\ntwo\xe2\x82\xac\n")
        self.release(lease)

    def test_attach_and_events_page(self):
        run = self.begin()
        for n in range(6):
            self.event(run, "stdout", data=str(n))
        path = "/v1/runs/%s/events" % run["id"]
        seen, after = [], 0
        while True:
            page = self.ok("GET", path + "?after=%d&limit=3" % after)["events"]
            seen += [e["seq"] for e in page]
            if not page:
                break
            after = page[-1]["seq"]
        self.assertEqual(seen, list(range(1, 8)))
        self.assertEqual(self.ok("GET", path + "?after=7")["events"], [])
        self.finish(run)
        self.assertEqual(self.ok("GET", path + "?after=7")["events"][0]["type"],
                         "command.finished")

    def test_a_log_of_any_bytes_and_more_than_is_kept(self):
        """10 MiB of output, more than 16 MiB when escaped, as the client retains it."""
        run = self.begin()
        line = "".join(chr(c) for c in range(1, 32)) + "x" * 33     # 64 bytes, 31 of them escaped
        chunk = line * 1024                                        # 64 KiB
        chunks = ["%08d" % n + chunk[8:] for n in range(160)]      # 10 MiB
        raw = json.dumps({"exitCode": 0, "syncMs": 0, "commandMs": 1, "log": chunks[-1],
                          "logChunks": chunks, "logTruncated": True, "results": None}).encode()
        self.assertGreater(len(raw), 16 << 20)
        before = self.peak()
        done = self.ok("POST", "/v1/runs/%s/finish" % run["id"], raw)["run"]
        self.assertEqual((done["logTruncated"], done["state"]), (True, "succeeded"))
        # The last 8 MiB, in memory once, plus the store's cache.
        grown = self.peak() - before
        if not self.is_sanitized():
            self.assertLess(grown, 32 << 20)
        whole = "".join(chunks).encode()
        log = self.log(run)
        self.assertEqual(len(log), done["logBytes"])
        self.assertLessEqual(len(log), 8 << 20)
        self.assertGreater(len(log), (8 << 20) - 70000)
        self.assertTrue(whole.endswith(log))

    def is_sanitized(self):
        """With a sanitizer, its own memory is many times as large."""
        with open("/proc/%d/maps" % self.broker.process.pid, encoding="ascii") as file:
            return any(name in text for text in file for name in ("libasan", "libtsan"))

    def peak(self):
        with open("/proc/%d/status" % self.broker.process.pid, encoding="ascii") as file:
            for text in file:
                if text.startswith("VmHWM:"):
                    return int(text.split()[1]) * 1024
        return 0

    def test_a_body_of_64_mib_and_no_more(self):
        run = self.begin()
        path = "/v1/runs/%s/finish" % run["id"]
        head = b'{"exitCode":0,"log":"'
        for size, status in ((64 << 20, 200), ((64 << 20) + 1, 413)):
            connection = http.client.HTTPConnection("127.0.0.1", self.broker.port, timeout=60)
            connection.putrequest("POST", path)
            for field in (("Authorization", "Bearer " + self.broker.alice),
                          ("Content-Type", "application/json"), ("Content-Length", str(size))):
                connection.putheader(*field)
            connection.endheaders()
            try:
                connection.send(head)
                left = size - len(head) - 2
                while left and status == 200:
                    connection.send(b"y" * min(left, 1 << 20))
                    left -= min(left, 1 << 20)
                if status == 200:
                    connection.send(b'"}')
                answer = connection.getresponse()
                self.assertEqual(answer.status, status, answer.read())
            finally:
                connection.close()
        self.assertEqual(set(self.log(run)), {ord("y")})

    def test_others_have_their_turn_meanwhile(self):
        """A large finish is many small transactions, so that no other request waits for it."""
        lease = self.create()
        runs = [self.begin() for _ in range(3)]
        body = json.dumps({"exitCode": 0, "logChunks": ["z" * 65536] * 128}).encode()
        threads = [threading.Thread(target=self.ask, args=(
            "POST", "/v1/runs/%s/finish" % run["id"], self.broker.alice, body)) for run in runs]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            answer = self.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"], self.broker.alice,
                              {})
            self.assertEqual(answer.status, 200, answer)
        for thread in threads:
            thread.join()
        for run in runs:
            self.assertEqual(len(self.log(run)), 8 << 20)
        self.release(lease)

    def test_a_crash_keeps_what_was_acknowledged(self):
        run, open_run = self.begin(), self.begin()
        self.event(open_run, "stdout", data="before")
        self.finish(run, logChunks=["kept\n"])
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.log(run), b"kept\n")
        self.event(open_run, "stdout", data="after")
        data = [e.get("data") for e in self.ok("GET", "/v1/runs/%s/events" % open_run["id"])
                ["events"]]
        self.assertEqual(data, [None, "before", "after"])

    def test_a_run_that_fails_before_its_command(self):
        run = self.begin()
        self.event(run, "run.failed", message="no capacity")
        got = self.ok("GET", "/v1/runs/" + run["id"])["run"]
        self.assertEqual((got["state"], got["phase"], got["exitCode"]), ("failed", "failed", None))
        self.assertIn("endedAt", got)
        self.assertEqual(self.finish(run, 1)["exitCode"], 1)

    def test_admission_is_under_the_clients_own_id(self):
        """A later client begins a run with a repeatable PUT, and runs nothing before the answer."""
        run_id = "run_" + secrets.token_hex(16)
        path = "/v1/runs/" + run_id
        # The response must contain exactly the command that was sent.
        command = ["sh", "-c", "\u20ac\u0000" + "x" * 100000] + ["w"] * 3000
        body = {"leaseID": "", "provider": "hetzner", "target": "linux", "windowsMode": "normal",
                "class": "beast", "serverType": "ccx63", "command": command, "label": "nightly"}
        for status in (201, 200):
            run = self.ok("PUT", path, body, status)["run"]
            self.assertEqual((run["id"], run["state"], run["phase"], run["label"]),
                             (run_id, "running", "starting", "nightly"))
            self.assertEqual(run["command"], command)
            self.assertEqual((run["owner"], run["eventCount"]), ("alice@example.com", 1))
        self.fails("alice", "PUT", path, dict(body, command=["true"]), 409, "run_conflict")
        self.fails("alice", "PUT", path, dict(body, label="other"), 409, "run_conflict")
        self.fails("bob", "PUT", path, body, 409, "run_conflict")
        self.fails("reader", "PUT", path, body, 403, "forbidden")
        self.fails("alice", "PUT", path, dict(body, leaseID="box"), 400, "invalid_lease_id")
        for name in ("run_x", "run_" + "A" * 32, "run_" + "0" * 31, "box_" + "0" * 32):
            self.fails("alice", "PUT", "/v1/runs/" + name, body, 404, "not_found")
        lease = self.create()
        self.event(run, "lease.created", leaseID=lease["id"], slug=lease["slug"])
        # The run has begun by now; the response says so, and the client refuses to run it.
        self.assertEqual(self.ok("PUT", path, body)["run"]["phase"], "leasing")
        self.finish(run, logChunks=["out\n"])
        self.assertEqual(self.log(run), b"out\n")
        self.assertEqual(self.ok("PUT", path, body)["run"]["state"], "succeeded")
        self.assertEqual(self.ok("GET", "/v1/runs?limit=1")["runs"][0]["command"], command)
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.ok("GET", path)["run"]["command"], command)
        short = "/v1/runs/" + new_run_id()
        self.ok("PUT", short, {"command": None}, 201)
        self.ok("PUT", short, {"command": None})
        self.release(lease)

    def test_a_receipt_comes_back_as_it_was(self):
        """A later client signs its command's result and compares it with what it reads back."""
        run = self.begin()
        path = "/v1/runs/%s/receipt" % run["id"]
        receipt = {
            "schema_version": 2, "receipt_type": "terminal", "started_at": run["startedAt"],
            "ended_at": "2026-08-21T10:00:00.123456789Z", "provider": "hetzner",
            "lease_id": "cbx_0123456789ab", "slug": "violet-prawn", "run_id": run["id"],
            "command": "echo \u20ac < \u0000 \"x\"", "command_sha256": "sha256:" + "0" * 64,
            "exit_code": 0, "sync_ms": 120, "command_ms": 3400, "duration_ms": 1 << 53,
            "log_sha256": "sha256:" + "1" * 64, "retained_log_sha256": "sha256:" + "2" * 64,
            "log_truncated": False, "public_key": "QUJD", "signer": "sha256:" + "3" * 64,
            "signature": "RUZH"}
        self.fails("alice", "GET", path, None, 404, "not_found")
        for wrong in ("text", [], {}, dict(receipt, command="x" * 17000)):
            self.fails("alice", "POST", "/v1/runs/%s/finish" % run["id"],
                       {"exitCode": 0, "receipt": wrong}, 400, "invalid_receipt")
        self.finish(run, receipt=receipt)
        self.assertEqual(self.ok("GET", path), {"receipt": receipt})
        # A second finish changes nothing; this read shows it to the client.
        self.finish(run, receipt=dict(receipt, signature="other"))
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.ok("GET", path, who="reader"), {"receipt": receipt})
        self.fails("bob", "GET", path, None, 404, "not_found")
        without = self.finish(self.begin(), receipt=None)
        self.fails("alice", "GET", "/v1/runs/%s/receipt" % without["id"], None, 404, "not_found")

    def test_history_lists(self):
        lease = self.create()
        ids = [self.begin(leaseID=lease["id"])["id"], self.begin(leaseID=lease["id"])["id"]]
        self.finish({"id": ids[0]})
        theirs = self.begin("bob")["id"]

        def listed(query, who="alice"):
            return [r["id"] for r in self.ok("GET", "/v1/runs?" + query, who=who)["runs"]]

        self.assertEqual(listed("limit=50")[:2], ids[::-1])
        self.assertEqual(listed("leaseID=" + lease["id"]), ids[::-1])
        self.assertIn(ids[0], listed("state=succeeded"))
        self.assertNotIn(ids[0], listed("state=running"))
        self.assertEqual(len(listed("limit=1")), 1)
        self.assertNotIn(theirs, listed("limit=500"))
        self.assertNotIn(theirs, listed("owner=bob%40example.com"))
        for query in ("", "owner=bob%40example.com", "owner=bob%40example.com&org=acme",
                      "org=acme"):
            self.assertIn(theirs, listed(query, "admin"), query)
        self.assertNotIn(ids[0], listed("owner=bob%40example.com", "admin"))
        self.assertIn(theirs, listed("", "reader"))
        for query in ("state=done", "limit=x", "limit=1&limit=2"):
            self.assertEqual(self.ask("GET", "/v1/runs?" + query, self.broker.alice).status, 400)
        self.release(lease)

    def test_whose_it_is(self):
        lease = self.create()
        mine, shared = self.begin(), self.begin("bob")
        # The owner of the lease that a run used may read the run, nothing else.
        self.ask("PUT", "/v1/leases/%s/share" % lease["id"], self.broker.alice,
                 {"users": {"bob@example.com": "use"}})
        self.ok("POST", "/v1/runs/%s/events" % shared["id"],
                {"type": "lease.created", "leaseID": lease["id"]}, 201, "bob")
        self.ok("GET", "/v1/runs/" + shared["id"])
        self.assertEqual(self.log(shared), b"")
        for method, tail, body in (("GET", "", None), ("GET", "/logs", None),
                                   ("GET", "/events", None)):
            self.fails("bob", method, "/v1/runs/" + mine["id"] + tail, body, 404, "not_found")
        for tail, body in (("/events", {"type": "stdout"}), ("/telemetry", {"telemetry": SAMPLE}),
                           ("/finish", {"exitCode": 0})):
            for run, who in ((mine, "bob"), (shared, "alice"), ({"id": new_run_id()}, "alice"),
                             ({"id": "run_x"}, "alice")):
                self.fails(who, "POST", "/v1/runs/" + run["id"] + tail, body, 404, "not_found")
            self.fails("reader", "POST", "/v1/runs/" + mine["id"] + tail, body, 403, "forbidden")
            self.error(self.ask("POST", "/v1/runs/" + mine["id"] + tail, None, body), 401,
                       "unauthorized")
        self.ok("GET", "/v1/runs/" + mine["id"], who="admin")
        self.ok("GET", "/v1/runs/" + mine["id"], who="reader")
        # A lease that the user may not see is not found; an unknown lease id is accepted.
        other = self.create(self.broker.bob)
        self.fails("alice", "POST", "/v1/runs", {"leaseID": other["id"]}, 404, "not_found")
        self.begin(leaseID=new_id())
        self.release(lease)
        self.release(other, self.broker.bob)

    def test_what_is_wrong_is_said(self):
        run = self.begin()
        path = "/v1/runs/" + run["id"]
        for tail, body, code in (
                ("/events", {}, "invalid_field"), ("/events", {"type": 1}, "invalid_field"),
                ("/events", {"type": "x", "data": 1}, "invalid_field"),
                ("/events", {"type": "x", "leaseID": "cbx_1"}, "invalid_lease_id"),
                ("/events", b"{", "invalid_json"), ("/telemetry", {}, "invalid_telemetry"),
                ("/telemetry", {"telemetry": {}}, "invalid_telemetry"),
                ("/telemetry", {"telemetry": {"load1": "1"}}, "invalid_telemetry"),
                ("/finish", {}, "invalid_field"), ("/finish", {"exitCode": "0"}, "invalid_field"),
                ("/finish", b"", "invalid_json"), ("/finish", b"[]", "invalid_json"),
                ("/finish", b'{"exitCode":0,"log":"a\nb"}', "invalid_json"),
                ("/finish", b'{"exitCode":0,"log":"\\x"}', "invalid_json"),
                ("/finish", b'{"exitCode":0,"log":"a","log":"b"}', "invalid_json"),
                ("/finish", b'{"exitCode":0,"log":"a"', "invalid_json")):
            self.error(self.ask("POST", path + tail, self.broker.alice, body), 400, code)
        # The client handles this error and creates the run again when it has a lease.
        answer = self.ask("POST", "/v1/runs", self.broker.alice, {"leaseID": "box"})
        self.assertEqual((answer.status, answer.error), (400, "invalid_lease_id"))
        for body in ({"command": None}, {"command": ["x" * 20000] * 3, "label": "l" * 500},
                     {"leaseID": None}, {}):
            self.ok("POST", "/v1/runs", body, 201)
        self.assertEqual(self.ok("GET", path)["run"]["eventCount"], 1)

    def test_long_texts_are_cut_and_escapes_are_room(self):
        run = self.begin()
        got = self.event(run, "stdout", data="\x01" * 16384, message="\u00e4" * 20000)
        self.assertEqual(got["data"], "\x01" * 16384)
        self.assertEqual(got["message"], "\u00e4" * 8192)
        failed = [{"suite": "s", "name": "n" * 5000, "kind": "failure"}] * 300
        done = self.finish(run, 1, results={"tests": 300, "failures": 300, "failed": failed,
                                            "files": ["f"] * 80, "suites": "no"})
        self.assertEqual(len(done["results"]["files"]), 50)
        self.assertLessEqual(len(done["results"]["failed"]), 100)
        self.assertEqual(len(done["results"]["failed"][0]["name"]), 4096)
        self.assertEqual((done["results"]["tests"], done["results"]["suites"]), (300, 0))


if __name__ == "__main__":
    unittest.main()
