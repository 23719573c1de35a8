#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Money: usage tells what the provider's bill will say, in the account's currency."""

import csv
import io
import json
import time
import unittest
from decimal import Decimal

import harness

MONTH = time.strftime("%Y-%m", time.gmtime())


class Money(harness.BrokerCase):
    options = {"limits": "max_hourly = 90.5\nmax_hourly_per_owner = 45",
               "server": "usd_rates = EUR:1.10, GBP:1.3"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # lessord reads the prices soon after its start; a lease shows that it has.
        owner = cls.broker.token("first@example.com", "acme", "user")

        def is_priced():
            lease = cls.broker.ask("POST", "/v1/leases", owner, harness.cli_body()).lease
            cls.broker.ask("POST", "/v1/leases/%s/release" % lease["id"], owner,
                           {"delete": True})
            return "hourlyPrice" in lease
        harness.until(is_priced)

    def usage(self, token=None, query=""):
        answer = self.ask("GET", "/v1/usage?month=%s%s" % (MONTH, query),
                          token or self.broker.alice)
        self.assertEqual(answer.status, 200, answer)
        # Exactly as written, not as the nearest binary number.
        return json.loads(answer.body, parse_float=Decimal)["usage"]

    def lines(self, token=None, query="", headers=None):
        answer = self.ask("GET", "/v1/usage?month=%s%s" % (MONTH, query),
                          token or self.broker.alice, headers=headers)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "text/csv")
        return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8"))))

    def billed(self, *leases):
        """What the provider bills for these leases, addresses included."""
        bill = self.broker.sim("GET", "/_sim/bill")
        servers = {line["name"] for line in bill["lines"] if line["lease"] in
                   {lease["id"] for lease in leases}}
        self.assertEqual(len(servers), len(leases))
        # An address has no lease: it is as old as its server.
        started = {line["from_ms"] for line in bill["lines"] if line["name"] in servers}
        return sum(Decimal(line["gross"]) for line in bill["lines"]
                   if line["name"] in servers or line["kind"] == "primary_ip"
                   and line["from_ms"] in started)

    def gone(self, *leases, token=None):
        for lease in leases:
            harness.until(lambda lease=lease: self.ask(
                "GET", "/v1/leases/" + lease["id"], token or self.broker.alice).lease["cleanup"]
                          ["state"] == "done")

    def test_u12_three_short_leases_cost_what_the_bill_says(self):
        owner = self.broker.token("three@example.com", "acme", "user")
        leases = [self.create(owner, serverTypeExplicit=True) for _ in range(3)]
        self.assertEqual({lease["serverType"] for lease in leases}, {"ccx63"})
        for lease in leases:
            self.release(lease, owner)
        self.gone(*leases, token=owner)
        usage = self.usage(owner)
        self.assertEqual([cost["currency"] for cost in usage["costs"]], ["EUR"])
        amount = usage["costs"][0]["amount"]
        self.assertEqual(amount, 3 * Decimal(repr(leases[0]["hourlyPrice"])))
        billed = self.billed(*leases)
        self.assertLess(abs(amount - billed), billed / 100, (amount, billed))
        # Nothing more will be billed for leases that are gone.
        self.assertEqual(usage["costs"][0]["reserved"], amount)
        self.assertEqual((usage["servers"], usage["billedSeconds"], usage["unpriced"]),
                         (3, 3 * 3600, 0))
        self.assertEqual(usage["estimatedUSD"], (amount * Decimal("1.1")).quantize(
            Decimal("0.000001")).normalize())
        self.assertEqual(usage["unconverted"], [])
        for group, key in (("byOwner", "three@example.com"), ("byOrg", "acme"),
                           ("byProvider", "hetzner"), ("byServerType", "hetzner:ccx63")):
            self.assertEqual([(g["key"], g["costs"]) for g in usage[group]],
                             [(key, usage["costs"])])
        lines = self.lines(owner, "&format=csv")
        self.assertEqual(sum(Decimal(line["amount"]) for line in lines), amount)
        for line, lease in zip(lines, leases):
            self.assertEqual([line[key] for key in (
                "lease", "slug", "owner", "org", "account", "type", "location", "currency")],
                [lease["id"], lease["slug"], "three@example.com", "acme", "hetzner", "ccx63",
                 lease["region"], "EUR"])
            self.assertEqual(Decimal(line["hours"]), 1)
            self.assertLess(harness.moment(line["from"]), harness.moment(line["to"]))

    def test_u12_what_is_kept_and_what_failed_is_billed_until_it_is_gone(self):
        owner = self.broker.token("kept@example.com", "acme", "user")
        kept = self.create(owner, serverType="cx23", serverTypeExplicit=True)
        before = self.usage(owner)["costs"][0]
        self.assertEqual(before["amount"], Decimal(repr(kept["hourlyPrice"])))
        # 90 minutes are two hours.
        self.assertEqual(before["reserved"], 2 * before["amount"])
        kept = self.release(kept, owner, delete=False)
        after = self.usage(owner)["costs"][0]
        self.assertEqual(after["amount"], after["reserved"])
        self.assertEqual(after["amount"], before["amount"])
        self.assertEqual(Decimal(repr(kept["runningCost"])), after["amount"])
        self.assertEqual(self.lines(owner, "&format=csv")[0]["to"], "")
        # A server whose start fails is deleted, and billed; so is what took its place.
        self.broker.fault("s.create", "start_error", 1)
        second = self.create(owner, **{"class": "standard", "serverType": ..., "location": ...})
        usage = self.usage(owner)
        self.assertEqual((usage["leases"], usage["servers"]), (2, 3))
        self.release(second, owner)
        self.gone(second, token=owner)
        self.assertEqual(self.usage(owner)["billedSeconds"], 3 * 3600)
        self.release(kept, owner, delete=True)
        self.gone(kept, token=owner)
        self.assertNotIn("", [line["to"] for line in self.lines(owner, "&format=csv")])

    def test_u12_a_create_that_was_cancelled_reserves_nothing(self):
        owner = self.broker.token("none@example.com", "acme", "user")
        self.broker.fault("s.create", "sold_out")
        answer = self.ask("POST", "/v1/leases", owner, harness.cli_body(
            serverType="cx33", serverTypeExplicit=True))
        self.broker.no_faults()
        self.assertNotEqual(answer.status, 201, answer)
        usage = self.usage(owner)
        self.assertEqual((usage["leases"], usage["servers"]), (1, 0))
        self.assertEqual((usage["costs"], usage["reservedUSD"], usage["estimatedUSD"]), ([], 0, 0))

    def test_u12_csv_is_asked_for_in_two_ways_and_keeps_to_the_scope(self):
        lease = self.create()
        other = self.create(self.broker.bob)
        for query, headers in (("&format=csv", None), ("", {"Accept": "text/csv"})):
            mine = {line["lease"] for line in self.lines(query=query, headers=headers)}
            self.assertIn(lease["id"], mine)
            self.assertNotIn(other["id"], mine)
        everyone = {line["lease"] for line in self.lines(self.broker.admin,
                                                         "&scope=all&format=csv")}
        self.assertLessEqual({lease["id"], other["id"]}, everyone)
        self.error(self.ask("GET", "/v1/usage?format=xml", self.broker.alice), 400,
                   "invalid_format")
        self.release(lease)
        self.release(other, self.broker.bob)

    def test_u12_the_command_shows_currency_and_every_limit(self):
        lease = self.create()
        shown = self.broker.cli("usage", token=self.broker.alice)
        self.assertIn(" EUR", shown)
        self.assertNotIn("USD", shown)
        self.assertIn("limit: 90.50 per hour in total", shown)
        self.assertIn("limit: 45.00 per hour and owner", shown)
        lines = list(csv.DictReader(io.StringIO(
            self.broker.cli("usage", "--csv", token=self.broker.alice))))
        self.assertIn(lease["id"], [line["lease"] for line in lines])
        self.release(lease)

    def test_u12_without_a_rate_usd_says_what_it_leaves_out(self):
        self.broker.edit("usd_rates = EUR:1.10, GBP:1.3", "usd_rates = GBP:1.3")
        self.broker.kill(15)
        self.broker.start()
        lease = self.create()
        usage = self.usage()
        self.assertGreater(usage["costs"][0]["amount"], 0)
        self.assertEqual((usage["estimatedUSD"], usage["unconverted"]), (0, ["EUR"]))
        self.release(lease)
        self.broker.edit("usd_rates = GBP:1.3", "usd_rates = EUR:1.10, GBP:1.3")
        self.broker.kill(15)
        self.broker.start()


if __name__ == "__main__":
    unittest.main()
