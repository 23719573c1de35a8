#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Limits by name, the money of a month, pauses, and the accounts of an organisation."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BrokerCase, cli_body, month_is_ending, need, until

LIMITS = "max_monthly_per_owner = 0\n"
SMALL = {"class": "tiny", "serverType": "cx23", "serverTypeExplicit": True}


class Reloads(BrokerCase):
    def setUp(self):
        with open(self.broker.home + "/conf", encoding="ascii") as file:
            before = file.read()
        self.addCleanup(self.configure, before)

    def configure(self, text):
        with open(self.broker.home + "/conf", "w", encoding="ascii") as file:
            file.write(text)
        self.reload()

    def reload(self):
        def count():
            return self.broker.log().count("configuration reloaded")
        before = count()
        self.broker.process.send_signal(signal.SIGHUP)
        until(lambda: count() > before, why="the reload did not end")

    def change(self, old, new):
        self.broker.edit(old, new)
        self.reload()

    def scopes(self, token=None):
        answer = self.ask("GET", "/v1/capacity", token or self.broker.alice)
        self.assertEqual(answer.status, 200, answer)
        return {scope["scope"]: scope for scope in answer.json["scopes"]}

    def gone(self, lease):
        until(lambda: self.ask("GET", "/v1/leases/" + lease["id"], self.broker.admin)
              .lease["cleanup"]["state"] == "done")

    def check(self):
        """The totals are what the leases say."""
        done = subprocess.run([need("LESSORD"), "check", "--config", self.broker.home + "/conf"],
                              check=False, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertNotIn("inconsistent", done.stdout)
        self.assertNotIn("wrong", done.stdout)


@unittest.skipIf(month_is_ending(), "the month is ending")
class Months(Reloads):
    options = {"limits": LIMITS}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        owner = cls.broker.token("first@example.com", "acme", "user")

        def is_priced():
            lease = cls.broker.ask("POST", "/v1/leases", owner, cli_body(**SMALL)).lease
            cls.broker.ask("POST", "/v1/leases/%s/release" % lease["id"], owner, {"delete": True})
            return lease.get("hourlyPrice")
        cls.price = until(is_priced)

    def own(self, name):
        return self.broker.token(name + "@example.com", "acme", "user")

    def cost(self, token):
        """(reserved, billed) of the owner, in hours."""
        scope = self.scopes(token)["owner"]
        return (round(scope["monthlyReserved"] / self.price, 6),
                round((scope["monthlyCost"] - scope["monthlyReserved"]) / self.price, 6))

    def limit(self, hours):
        self.change("max_monthly_per_owner = 0", "max_monthly_per_owner = %.6f"
                    % (hours * self.price))

    def test_a_month_is_reserved_refused_and_settled(self):
        owner = self.own("month")
        self.limit(5)
        # 90 minutes are two hours.
        first = self.create(owner, **SMALL)
        self.assertEqual(self.cost(owner), (2, 0))
        second = self.create(owner, **SMALL)
        answer = self.ask("POST", "/v1/leases", owner, cli_body(**SMALL))
        self.error(answer, 429, "cost_limit_exceeded")
        self.assertLess(len(answer.body), 600)
        limit = answer.json["limit"]
        self.assertEqual((limit["scope"], limit["of"], limit["month"]),
                         ("owner", "monthlyCost", time.strftime("%Y-%m", time.gmtime())))
        self.assertAlmostEqual(limit["used"], 4 * self.price)
        self.assertAlmostEqual(limit["max"], 5 * self.price)
        self.assertAlmostEqual(limit["more"], 2 * self.price)
        self.assertIn("You have spent or reserved %.2f of %.2f in " % (
            4 * self.price, 5 * self.price), answer.json["message"])
        self.assertTrue(1 <= int(answer.headers["retry-after"]) <= 3600)
        self.release(first, owner)
        self.gone(first)
        self.assertEqual(self.cost(owner), (2, 1))
        self.create(owner, **SMALL, ttlSeconds=3600)
        usage = self.ask("GET", "/v1/usage", owner).json
        self.assertAlmostEqual(usage["limits"]["maxMonthlyCostPerOwner"], 5 * self.price)
        self.check()
        self.assertIn("MAX MONTH", self.broker.cli("capacity", token=owner))
        self.release(second, owner)

    def test_a_cancelled_create_gives_back_what_it_reserved(self):
        owner = self.own("cancel")
        body = cli_body(**SMALL)
        self.broker.fault("s.create", "sold_out")
        self.ask("POST", "/v1/leases", owner, body, {"Prefer": "respond-async"})
        self.ask("POST", "/v1/leases/%s/cancel-create" % body["leaseID"], owner,
                 {"createAttemptID": body["createAttemptID"]})
        self.broker.no_faults()
        until(lambda: self.cost(owner) == (0, 0))
        self.check()

    def test_an_extension_reserves_more_or_is_refused(self):
        owner = self.own("extend")
        lease = self.create(owner, **SMALL)
        self.limit(4)
        where = "/v1/leases/%s/extend" % lease["id"]
        self.assertEqual(self.ask("POST", where, owner, {"ttlSeconds": 3 * 3600}).status, 200)
        self.assertEqual(self.cost(owner), (3, 0))
        answer = self.ask("POST", where, owner, {"ttlSeconds": 5 * 3600})
        self.error(answer, 429, "cost_limit_exceeded")
        self.assertEqual(answer.json["limit"]["of"], "monthlyCost")
        self.assertAlmostEqual(answer.json["limit"]["more"], 2 * self.price)
        self.assertIn("the longer TTL adds up to", answer.json["message"])
        self.assertEqual(self.cost(owner), (3, 0))
        self.assertEqual(self.ask("POST", where, owner, {"ttlSeconds": 4 * 3600}).status, 200)
        self.assertEqual(self.cost(owner), (4, 0))
        self.release(lease, owner)

    def test_a_crash_between_admission_and_the_end_changes_nothing(self):
        owner = self.own("crash")
        kept = self.create(owner, **SMALL)
        self.release(kept, owner, delete=False)
        kept_hours = self.cost(owner)[0]
        self.assertGreaterEqual(kept_hours, 1)
        leases = [self.create(owner, **SMALL) for _ in range(2)]
        self.assertEqual(self.cost(owner), (kept_hours + 4, 0))
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.cost(owner), (kept_hours + 4, 0))
        self.ask("POST", "/v1/leases/%s/release" % leases[0]["id"], owner, {"delete": True},
                 {"Prefer": "respond-async"})
        self.broker.kill()
        self.broker.start()
        self.gone(leases[0])
        self.assertEqual(self.cost(owner), (kept_hours + 2, 1))
        self.release(leases[1], owner)
        self.gone(leases[1])
        self.assertEqual(self.cost(owner), (kept_hours, 2))
        self.release(kept, owner, delete=True)
        self.gone(kept)
        self.assertEqual(self.cost(owner), (0, 3))
        self.check()


class Names(Reloads):
    options = {"limits": "max_active_per_owner = 1"}

    def test_u14_a_reload_gives_one_owner_other_limits(self):
        lease = self.create(slug="one")
        refused = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.error(refused, 429, "cost_limit_exceeded")
        self.change("max_active_per_owner = 1", "max_active_per_owner = 1\n"
                    "[limits owner alice@example.com]\nmax_active = 2\n"
                    "[limits org acme]\nmax_active = 3")
        self.assertIn("[limits owner alice@example.com] (new)", self.broker.log())
        second = self.create()
        self.assertEqual(self.scopes()["owner"]["max"], 2)
        self.assertEqual(self.scopes()["org"]["max"], 3)
        bobs = self.create(self.broker.bob)
        refused = self.ask("POST", "/v1/leases", self.broker.bob, cli_body())
        self.error(refused, 429, "cost_limit_exceeded")
        self.assertEqual(refused.json["limit"], {"scope": "owner", "of": "leases", "used": 1, "max": 1})
        refused = self.ask("POST", "/v1/leases", self.broker.token("carl", "acme", "user"), cli_body())
        self.assertEqual(refused.json["limit"], {"scope": "org", "of": "leases", "used": 3, "max": 3})
        self.assertEqual(self.ask("GET", "/v1/capacity", self.broker.alice).json["effectiveLimit"], 2)
        self.release(lease)
        self.release(second)
        self.release(bobs, self.broker.bob)


class Pauses(Reloads):
    options = {"limits": "max_active = 2"}

    def account(self, token=None):
        return self.ask("GET", "/v1/providers", token or self.broker.alice).json["providers"][0]

    def test_u14_an_account_is_paused_and_resumed_by_a_reload(self):
        self.assertFalse(self.account()["paused"])
        body = cli_body()
        lease = self.ask("POST", "/v1/leases", self.broker.alice, body).lease
        second = self.create()
        waiting = self.ask("POST", "/v1/leases", self.broker.bob, cli_body(waitForCapacity=3600),
                           {"Prefer": "respond-async"}).lease
        self.assertIn("queue", waiting)
        self.change("poll = 50ms", "poll = 50ms\npaused = yes\npaused_reason = we move the project")
        answer = self.ask("POST", "/v1/leases", self.broker.bob, cli_body())
        self.error(answer, 503, "paused")
        self.assertIn("account hetzner is paused", answer.json["message"])
        self.assertIn("we move the project", answer.json["message"])
        self.assertEqual(answer.headers["retry-after"], "60")
        # What was accepted is answered, extended and cleaned up.
        self.assertEqual(self.ask("POST", "/v1/leases", self.broker.alice, body).status, 200)
        self.assertEqual(self.ask("POST", "/v1/leases/%s/extend" % second["id"], self.broker.alice,
                                  {"ttlSeconds": 7200}).status, 200)
        self.release(lease)
        self.gone(lease)
        self.assertIn("queue", self.ask("GET", "/v1/leases/" + waiting["id"], self.broker.bob).lease)
        self.assertTrue(self.account()["paused"])
        self.assertEqual(self.account()["pausedReason"], "we move the project")
        self.assertIn("it is paused, we move the project", self.account()["message"])
        readiness = self.ask("GET", "/v1/providers/hetzner/readiness", self.broker.alice).json
        self.assertTrue(readiness["configured"])
        self.assertEqual(readiness["checks"][0]["status"], "warning")
        self.assertEqual(self.scopes()["account"]["pausedReason"], "we move the project")
        self.assertIn("account hetzner is paused, we move the project", self.broker.cli("capacity"))
        self.change("\npaused = yes", "")
        until(lambda: "queue" not in self.ask("GET", "/v1/leases/" + waiting["id"],
                                              self.broker.bob).lease)
        self.assertFalse(self.account()["paused"])
        self.assertNotIn("pausedReason", self.account())
        self.release(second)
        self.ask("POST", "/v1/leases/%s/release" % waiting["id"], self.broker.bob, {"delete": True})

    def test_u14_the_whole_daemon_is_paused(self):
        self.change("log_level = notice", "log_level = notice\npaused = yes")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.error(answer, 503, "paused")
        self.assertIn("this server is paused", answer.json["message"])
        capacity = self.ask("GET", "/v1/capacity", self.broker.alice).json
        self.assertTrue(capacity["paused"])
        self.assertIn("the server is paused: nothing new", self.broker.cli("capacity"))
        # It is so also after a start.
        self.broker.kill(signal.SIGTERM)
        self.broker.start()
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, cli_body()), 503, "paused")
        self.change("log_level = notice\npaused = yes", "log_level = notice")
        self.release(self.create())


POOL = """
[account pool]
provider = static
locations = rack1
inventory = {0}/pool.json
state = {0}/pool
"""


class Organisations(Reloads):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-limits-")
        os.mkdir(cls.home + "/pool", 0o700)
        with open(cls.home + "/pool.json", "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as file:
            json.dump({"hosts": [{"name": "a1", "address": "192.0.2.1", "location": "rack1",
                                  "types": ["cx23"]}]}, file)
        cls.options = {"accounts": POOL.format(cls.home)}
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.home)

    def test_the_leases_of_an_organisation_are_created_in_its_accounts(self):
        other = self.broker.token("zoe@example.com", "zoo", "user")
        self.change("\n[account pool]", "\n[org zoo]\naccounts = pool\n\n[account pool]")
        answer = self.ask("POST", "/v1/leases", other, cli_body())
        self.error(answer, 400, "provider_not_allowed")
        self.assertIn("accounts: pool", answer.json["message"])
        # Which names none gets the first of them.
        lease = self.create(other, provider=..., location=..., image=..., **SMALL)
        self.assertEqual(lease["provider"], "pool")
        self.release(lease, other)
        shown = self.ask("GET", "/v1/providers", other).json["providers"]
        self.assertEqual([account["name"] for account in shown], ["pool"])
        shown = self.ask("GET", "/v1/providers", self.broker.admin).json["providers"]
        self.assertEqual([account["name"] for account in shown], ["hetzner", "pool"])
        self.assertEqual(self.ask("GET", "/v1/classes", other).json["provider"], "pool")
        # Others are where they were.
        self.release(self.create())
        self.change("[org zoo]\naccounts = pool\n", "")
        self.release(self.create(other), other)


if __name__ == "__main__":
    unittest.main()
