#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The kept connection that dies under a request.

libcurl sends a POST again, unasked, when a reused connection ends before the first byte
of an answer: two servers, and it reports one success. So whatever changes something must
travel on a connection of its own, and then a lost answer is what it is: unknown, and
looked into. The real lessord, the real hetzner-sim, and the simulator's count of what
it was sent."""

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
        # The first lives: connections are open, and the account's mark is made.
        self.lives(4)

    def life(self, lease_id):
        """Created, ready, released; what was made for it, as the API says."""
        b = self.broker
        # A token has a rate; each life is a client of its own in nothing but its id.
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
        """Ids of all servers that ever were made for the lease."""
        return [e["id"] for e in self.broker.sim("GET", "/_sim/history?after=0")["events"]
                if e["what"] == "created" and e["kind"] == "server" and e["lease"] == lease_id]

    def test_what_changes_something_has_a_connection_of_its_own(self):
        """Every reused connection is deadly to a change; no change is sent on one."""
        self.broker.fault(CHANGES, "stale")
        leases = self.lives(6)
        self.assertEqual([r["hits"] for r in self.rules()], [0])
        changes = [r for r in self.requests() if r["method"] != "GET"]
        self.assertGreaterEqual(len(changes), 10 * 4)
        self.assertEqual([r for r in changes if r["reused"]], [])
        self.assertTrue([r for r in self.requests() if r["reused"]], "no reuse at all")
        for lease in leases:
            self.assertEqual(len(self.made(lease["id"])), 1)

    def test_a_lost_answer_is_unknown_and_then_found(self):
        """The answer to each change is lost, in three ways: one POST, one server."""
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
                # A delete whose answer was lost found its aim gone, by reading.
                for delete in ("k.delete", "s.delete"):
                    self.assertEqual(calls[lease_id][delete], 1, calls[lease_id])
                # What was lost was looked for, and not guessed.
                if op.endswith("create"):
                    self.assertGreater(calls[lease_id].get(op[0] + ".find", 0)
                                       + calls[lease_id].get(op[0] + ".list", 0), 0)
                    self.assertIn("unknown", self.events(lease_id))

    def events(self, lease_id):
        return self.broker.ask("GET", "/v1/leases/%s/events" % lease_id,
                               self.broker.admin).body.decode("utf-8")

    def test_reading_on_a_dying_connection_is_harmless(self):
        """Every GET on a reused connection dies under it, each time."""
        self.broker.sim("POST", "/_sim/faults", {
            "match": {"method": "GET"}, "count": "always", "fault": {"kind": "stale"}})
        leases = self.lives(4)
        self.assertGreater(self.rules()[0]["hits"], 0)
        for lease in leases:
            self.assertEqual(self.made(lease["id"]), [lease["serverID"]])


if __name__ == "__main__":
    unittest.main()
