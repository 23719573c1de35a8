#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A reused connection that closes during a request.

libcurl resends a POST by itself if a reused connection closes before the first byte of the
response: that creates two servers and reports one success. So each request that changes
something must use a new connection. Then the outcome of a lost response is unknown, and the
broker looks it up. Uses the real lessord, the real hetzner-sim, and the simulator's record
of the requests it received."""

import concurrent.futures
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import Broker, cli_body, new_id, until  # noqa: E402

CHANGES = ["k.create", "s.create", "k.delete", "s.delete"]
SETTINGS = {"create_wait": "30s", "release_wait": "0s"}
PATIENCE = 90


class Stale(unittest.TestCase):

    def setUp(self):
        self.broker = Broker(**SETTINGS)
        self.addCleanup(self.broker.close)
        # The first lives open connections and create the sentinel.
        self.lives(4)

    def life(self, lease_id):
        """Creates, waits, releases; returns what the API says was created for the lease."""
        b = self.broker
        # All lives share one token, which has a rate limit; only the lease id differs.
        answer = b.ask("POST", "/v1/leases", b.alice, cli_body(lease_id, ttlSeconds=3600))
        self.assertEqual(answer.status, 201, answer)
        lease = answer.lease
        self.assertEqual(lease["state"], "active", answer)
        answer = b.ask("POST", "/v1/leases/%s/release" % lease_id, b.alice, {"delete": True})
        self.assertEqual(answer.status, 200, answer)
        def is_clean():
            now = b.ask("GET", "/v1/leases/" + lease_id, b.alice).lease
            return now["cleanup"]["state"] == "done" and not self.left(lease_id)
        until(is_clean, PATIENCE,
              lambda: "%s is not cleaned up: %s" % (lease_id, self.left(lease_id)))
        return lease

    def lives(self, count, ids=None):
        ids = ids or [new_id() for _ in range(count)]
        with concurrent.futures.ThreadPoolExecutor(len(ids)) as pool:
            return list(pool.map(self.life, ids))

    def left(self, lease_id):
        state = self.broker.sim("GET", "/_sim/state")
        return [t["name"] for t in state["servers"] + state["ssh_keys"]
                if (t.get("labels") or {}).get("lessor-lease") == lease_id]

    def requests(self, op=None):
        seen = self.broker.sim("GET", "/_sim/requests")["requests"]
        return [r for r in seen if op is None or r["op"] == op]

    def rules(self):
        return self.broker.sim("GET", "/_sim/faults")["faults"]

    def made(self, lease_id):
        """The ids of all servers ever created for the lease."""
        return [e["id"] for e in self.broker.sim("GET", "/_sim/history?after=0")["events"]
                if e["what"] == "created" and e["kind"] == "server" and e["lease"] == lease_id]

    def test_what_changes_something_has_a_connection_of_its_own(self):
        """Every change on a reused connection would fail; no change is sent on one."""
        self.broker.fault(CHANGES, "stale")
        leases = self.lives(6)
        self.assertEqual([r["hits"] for r in self.rules()], [0])
        changes = [r for r in self.requests() if r["method"] != "GET"]
        self.assertGreaterEqual(len(changes), 10 * 4)
        self.assertEqual([r for r in changes if r["reused"]], [])
        self.assertTrue([r for r in self.requests() if r["reused"]], "no connection was reused")
        for lease in leases:
            self.assertEqual(len(self.made(lease["id"])), 1)

    def test_a_lost_answer_is_unknown_and_then_found(self):
        """The response to each change is lost, in three ways: one POST, one server."""
        ways = [("lost", {}), ("lost", {"reset": True}), ("cut_headers", {})]
        plan = {new_id(): (op, way) for op in CHANGES for way in ways}
        for lease_id, (op, (kind, args)) in plan.items():
            self.broker.sim("POST", "/_sim/faults", {
                "match": {"op": op, "lease": lease_id}, "fault": dict({"kind": kind}, **args)})
        leases = {l["id"]: l for l in self.lives(0, list(plan))}
        for rule in self.rules():
            self.assertEqual(rule["hits"], 1, rule)
        calls = self.broker.sim("GET", "/_sim/calls")["leases"]
        for lease_id, (op, _) in plan.items():
            with self.subTest(op=op, lease=lease_id):
                for create in ("k.create", "s.create"):
                    self.assertEqual(calls[lease_id][create], 1, calls[lease_id])
                self.assertEqual(self.made(lease_id), [leases[lease_id]["serverID"]])
                # After a lost delete response, a read found the resource gone.
                for delete in ("k.delete", "s.delete"):
                    self.assertEqual(calls[lease_id][delete], 1, calls[lease_id])
                # After a lost create response, the broker looked the resource up.
                if op.endswith("create"):
                    self.assertGreater(calls[lease_id].get(op[0] + ".find", 0)
                                       + calls[lease_id].get(op[0] + ".list", 0), 0)
                    self.assertIn("unknown", self.events(lease_id))

    def events(self, lease_id):
        return self.broker.ask("GET", "/v1/leases/%s/events" % lease_id,
                               self.broker.admin).body.decode("utf-8")

    def test_reading_on_a_dying_connection_is_harmless(self):
        """Each GET on a reused connection fails, every time."""
        self.broker.sim("POST", "/_sim/faults", {
            "match": {"method": "GET"}, "count": "always", "fault": {"kind": "stale"}})
        leases = self.lives(4)
        self.assertGreater(self.rules()[0]["hits"], 0)
        for lease in leases:
            self.assertEqual(self.made(lease["id"]), [lease["serverID"]])


if __name__ == "__main__":
    unittest.main()
