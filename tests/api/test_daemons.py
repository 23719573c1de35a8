# SPDX-License-Identifier: MIT
"""Who is on the database, and who owns which account: GET /v1/daemons, `lessor daemons`, metrics."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, until  # noqa: E402


class Daemons(BrokerCase):
    def shown(self):
        answer = self.ask("GET", "/v1/daemons", self.broker.admin)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def owned(self):
        return [a for a in self.shown()["accounts"] if a["daemon"]]

    def test_one_daemon_owns_what_there_is(self):
        until(self.owned)
        shown = self.shown()
        (daemon,) = [d for d in shown["daemons"] if d["alive"]]
        self.assertTrue(daemon["self"])
        self.assertRegex(daemon["id"], "^[0-9a-f]{32}$")
        self.assertRegex(daemon["address"], r"^http://127\.0\.0\.1:\d+$")
        (account,) = shown["accounts"]
        self.assertEqual((account["account"], account["daemon"]), ("hetzner", daemon["id"]))
        self.assertGreaterEqual(account["epoch"], 1)
        self.assertNotIn("frozen", account)
        self.assertEqual(self.broker.metric('lessor_account_owned{account="hetzner"}'), 1)
        self.assertEqual(self.broker.metric('lessor_account_epoch{account="hetzner"}'), account["epoch"])

    def test_as_a_table(self):
        until(self.owned)
        (daemon,) = [d for d in self.shown()["daemons"] if d["self"]]
        text = self.broker.cli("daemons", token=self.broker.admin)
        self.assertRegex(text, rf"(?m)^{daemon['id'][:8]} +http://127\.0\.0\.1:\d+ .* alive, this one$")
        self.assertRegex(text, rf"(?m)^hetzner +{daemon['id'][:8]} +(now|\S.* ago) +\d+ +-$")

    def test_for_admins(self):
        self.error(self.ask("GET", "/v1/daemons", self.broker.alice), 403, "forbidden")


if __name__ == "__main__":
    unittest.main()
