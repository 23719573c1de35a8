#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a release without delete keeps: recorded, protected at the provider, or unsure."""

import time
import unittest

from harness import BrokerCase, until


class Case(BrokerCase):
    options = {"server": "probe = 500ms"}

    def setUp(self):
        self.addCleanup(self.broker.no_faults)

    def keep(self, lease, prefer=None):
        """Releases without delete; returns the lease and how long the response took."""
        begin = time.monotonic()
        answer = self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice,
                          {"delete": False}, {"Prefer": prefer} if prefer else None)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual((answer.lease["state"], answer.lease["cleanup"]["state"],
                          answer.lease["releaseDeletesServer"]), ("released", "retained", False))
        return answer.lease, time.monotonic() - begin

    def lease(self, lease):
        return self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease

    def server(self, lease):
        """The lease's server in the cloud; None if there is none."""
        return next((s for s in self.broker.servers() if s["lease"] == lease["id"]), None)

    def ends(self, lease):
        """An explicit delete removes the lease and all its resources."""
        self.release(lease)
        until(lambda: self.lease(lease)["cleanup"]["state"] == "done")
        self.assertIsNone(self.server(lease))


class Protected(Case):
    def test_it_is_said_once_it_is_true(self):
        lease = self.create()
        self.assertNotIn("retention", lease)
        kept, _ = self.keep(lease, "wait=20")
        self.assertEqual(kept["retention"], "protected")
        server = self.server(lease)
        self.assertTrue(server["protected"])
        # The epoch at the release; it is 1 while the lease is live.
        self.assertEqual(server["labels"]["lessor-retain"], "2")
        self.assertEqual(self.lease(lease)["retention"], "protected")
        listed = self.ask("GET", "/v1/leases?state=released", self.broker.alice).json["leases"]
        self.assertEqual([one["retention"] for one in listed if one["id"] == lease["id"]],
                         ["protected"])
        self.assertIn(" protected ", self.broker.cli("list", "--retained"))
        # Our own protection does not block the owner's delete.
        self.ends(lease)
        self.assertNotIn("retention", self.lease(lease))

    def test_who_does_not_ask_does_not_wait(self):
        self.broker.fault("s.update", "delay", ms=1500)
        lease = self.create()
        kept, took = self.keep(lease)
        self.assertLess(took, 1.4)
        self.assertIn(kept["retention"], ("recorded", "unsure"))
        again, took = self.keep(lease, "wait=20")
        self.assertEqual(again["retention"], "protected")
        self.assertEqual(again["endedAt"], kept["endedAt"])
        self.ends(lease)

    def test_a_wait_ends(self):
        self.broker.fault("s.act", "locked")
        lease = self.create()
        kept, took = self.keep(lease, "wait=2")
        self.assertGreater(took, 1.9)
        self.assertLess(took, 10)
        self.assertNotEqual(kept["retention"], "protected")
        self.assertFalse(self.server(lease)["protected"])
        self.broker.no_faults()
        until(lambda: self.lease(lease)["retention"] == "protected", 60)
        self.assertTrue(self.server(lease)["protected"])
        self.ends(lease)

    def test_nobody_lifts_what_a_person_has_set(self):
        lease = self.create()
        path = "/servers/%s/actions/change_protection" % lease["cloudID"]
        self.broker.cloud_ask("POST", path, {"delete": True, "rebuild": True})
        until(lambda: self.server(lease)["protected"])
        kept, _ = self.keep(lease, "wait=20")
        self.assertEqual(kept["retention"], "protected")
        self.release(lease)
        left = until(lambda: self.lease(lease).get("attention"))
        self.assertIn("lessor resolve %s retry" % lease["id"], left)
        self.assertTrue(self.server(lease)["protected"])
        self.broker.cloud_ask("POST", path, {"delete": False, "rebuild": False})
        until(lambda: not self.server(lease)["protected"])
        self.ask("POST", "/v1/leases/%s/retry" % lease["id"], self.broker.alice, {})
        until(lambda: self.lease(lease)["cleanup"]["state"] == "done")


class Recorded(Case):
    """An account that protects nothing."""

    options = {"accounts": "protect_retained = no"}

    def test_there_is_nothing_to_wait_for(self):
        lease = self.create()
        kept, took = self.keep(lease, "wait=20")
        self.assertLess(took, 10)
        # The release may have waited for an observation in progress.
        until(lambda: self.lease(lease)["retention"] == "recorded")
        self.assertIn(kept["retention"], ("recorded", "unsure"))
        server = self.server(lease)
        self.assertFalse(server["protected"])
        self.assertNotIn("lessor-retain", server["labels"])
        self.ends(lease)

    def test_it_is_unsure_only_while_the_account_is(self):
        lease = self.create()
        self.broker.kill()
        self.broker.fault("k.get", "unavailable")
        self.broker.start()
        kept, _ = self.keep(lease)
        self.assertEqual(kept["retention"], "unsure")
        self.broker.no_faults()
        until(lambda: self.lease(lease)["retention"] == "recorded")
        self.ends(lease)


if __name__ == "__main__":
    unittest.main()
