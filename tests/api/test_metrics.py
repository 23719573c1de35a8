#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the metrics say is what happened; and their listener shows nothing else."""

import http.client
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, cli_body, is_postgresql, until  # noqa: E402
from ports import free_port  # noqa: E402

# One server type, whose price is known.
BODY = {"class": "standard", "serverType": "ccx13", "serverTypeExplicit": True}


def series(text):
    """{(name, labels): value}"""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            found[name.split("{")[0], tuple(sorted(labels.items()))] = float(value)
    return found


class Metrics(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        self.broker = Broker(server="listen_metrics = 127.0.0.1:%d\nbackups = %s" % (
            self.port, "/nonexistent"), limits="max_monthly = 1000")
        self.addCleanup(self.broker.close)

    def get(self, path="/metrics", method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8")
        connection.close()
        return answer.status, body

    def value(self, name, **labels):
        return series(self.get()[1]).get((name, tuple(sorted(labels.items()))))

    def expect(self, wanted, name, **labels):
        until(lambda: self.value(name, **labels) == wanted,
              why=lambda: "%s%s is %s, not %s" % (name, labels, self.value(name, **labels), wanted))


class Values(Metrics):
    def is_priced(self):
        classes = self.broker.ask("GET", "/v1/classes", self.broker.admin).json["classes"]
        return all("hourlyPrice" in kind or "price" in kind for one in classes
                   for kind in one["types"])

    def lease(self, slug):
        answer = self.broker.ask("POST", "/v1/leases", self.broker.alice,
                                 cli_body(slug=slug, **BODY))
        self.assertIn(answer.status, (200, 201), answer)
        return answer.json["lease"]["id"]

    def release(self, lease, delete=True):
        answer = self.broker.ask("POST", "/v1/leases/%s/release" % lease, self.broker.alice,
                                 {"delete": delete}, {"Prefer": "respond-async"})
        self.assertIn(answer.status, (200, 202), answer)

    def test_leases(self):
        until(self.is_priced)
        for state in ("queued", "provisioning", "active", "released", "expired", "failed"):
            self.expect(0, "lessor_leases", account="hetzner", state=state)
        self.expect(0, "lessor_leases_attention", account="hetzner", **{"class": "none"})
        ids = [self.lease("m-%d" % i) for i in range(4)]
        self.expect(4, "lessor_leases", account="hetzner", state="active")
        hour = self.value("lessor_leases_price_per_hour") / 4
        self.assertGreater(hour, 0)
        self.assertGreater(self.value("lessor_month_reserved", account=""), 0)
        self.assertEqual(self.value("lessor_month_limit", account=""), 1000)
        self.assertIsNone(self.value("lessor_month_limit", account="hetzner"))
        # Kept.
        self.release(ids[0], delete=False)
        self.expect(1, "lessor_leases_retained", account="hetzner")
        self.assertAlmostEqual(self.value("lessor_leases_retained_price_per_hour",
                                          account="hetzner"), hour, places=2)
        until(lambda: self.value("lessor_leases_retained_oldest_seconds", account="hetzner") > 0)
        self.expect(1, "lessor_leases", account="hetzner", state="released")
        # It cannot be deleted.
        self.broker.fault("s.delete", "status", status=503)
        self.release(ids[1])
        self.expect(1, "lessor_leases_owed", account="hetzner")
        self.assertAlmostEqual(self.value("lessor_leases_owed_price_per_hour", account="hetzner"),
                               hour, places=2)
        until(lambda: self.value("lessor_leases_owed_oldest_seconds", account="hetzner") > 0)
        self.expect(2, "lessor_leases", account="hetzner", state="active")
        settled = self.value("lessor_month_settled", account="hetzner")
        self.broker.no_faults()
        self.expect(0, "lessor_leases_owed", account="hetzner")
        self.assertEqual(self.value("lessor_leases_owed_oldest_seconds", account="hetzner"), 0)
        self.assertGreater(self.value("lessor_month_settled", account="hetzner"), settled)
        self.expect(1, "lessor_lease_gone_duration_seconds_count", account="hetzner", type="ccx13")
        self.expect(4, "lessor_lease_ready_duration_seconds_count", account="hetzner",
                    type="ccx13")
        for lease in ids[2:]:
            self.release(lease)
        self.expect(0, "lessor_leases", account="hetzner", state="active")
        self.expect(3, "lessor_lease_gone_duration_seconds_count", account="hetzner", type="ccx13")

    def test_what_was_kept_is_owed_from_its_delete_on(self):
        lease = self.lease("kept-first")
        self.release(lease, delete=False)
        until(lambda: (self.value("lessor_leases_retained_oldest_seconds", account="hetzner")
                       or 0) > 3)
        self.broker.fault("s.delete", "status", status=503)
        self.release(lease)
        until(lambda: self.value("lessor_leases_owed", account="hetzner") == 1)
        self.assertLess(self.value("lessor_leases_owed_oldest_seconds", account="hetzner"), 3)

    def test_attention(self):
        """Somebody protects the server against deletion."""
        lease = self.lease("held")
        self.broker.sim("POST", "/_sim/human", {"verb": "protect", "kind": "server",
                                                "id": self.broker.servers()[0]["id"]})
        self.release(lease)
        self.expect(1, "lessor_leases_attention", account="hetzner", **{"class": "protected"})
        self.expect(1, "lessor_leases_owed", account="hetzner")


class Listener(Metrics):
    def test_it_shows_the_metrics_alone(self):
        status, body = self.get()
        self.assertEqual(status, 200)
        self.assertIn("lessor_build_info", body)
        for path in ("/v1/leases", "/v1/health", "/", "/v1/metrics", "/v1/admin/tokens"):
            self.assertEqual(self.get(path)[0], 404, path)
            self.assertEqual(self.get(path, Authorization="Bearer " + self.broker.admin)[0], 404)
        self.assertEqual(self.get("/v1/leases", "POST")[0], 404)
        # Elsewhere they need a token.
        self.assertEqual(self.broker.ask("GET", "/metrics").status, 401)
        self.assertEqual(self.broker.ask("GET", "/metrics", self.broker.alice).status, 403)
        self.assertEqual(self.broker.ask("GET", "/metrics", self.broker.reader).status, 200)

    @unittest.skipIf(is_postgresql(), "PostgreSQL has backups of its own")
    def test_backups(self):
        self.assertEqual(self.value("lessor_store_backup_timestamp_seconds"), 0)
        self.assertEqual(self.broker.kill(15), 0)
        self.broker.edit("/nonexistent", self.broker.home)
        self.broker.start()
        with open(self.broker.home + "/lessor-Mon.db", "wb"):
            pass
        self.assertAlmostEqual(self.value("lessor_store_backup_timestamp_seconds"), time.time(),
                               delta=60)


if __name__ == "__main__":
    unittest.main(verbosity=2)
