#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Finding leases: filters, pages, ended slugs, and what an answer says about one lease."""

import concurrent.futures
import json
import unittest

from harness import BrokerCase, cli_body, moment, new_id, until
from shapes import lease_wrong

ERROR_BODY_MAX = 599    # what the client shows


class Case(BrokerCase):
    options = {"create_wait": "30s", "sim_options": ("--speed", "1000")}

    def listed(self, query, token=None):
        answer = self.ask("GET", "/v1/leases?" + query, token or self.broker.alice)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def ids(self, query, token=None):
        return [lease["id"] for lease in self.listed(query, token)["leases"]]

    def short(self, answer, status, code, lease):
        self.error(answer, status, code)
        self.assertLessEqual(len(answer.body), ERROR_BODY_MAX, answer.body)
        self.assertEqual(answer.lease["id"], lease["id"])
        self.assertLessEqual(set(answer.lease), {"id", "slug", "state", "endReason", "endedAt",
                                                 "failureError"})


class Lists(Case):
    def ended(self, **changes):
        """A lease that has ended; the body of its create."""
        body = cli_body(**changes)
        lease = self.ask("POST", "/v1/leases", self.broker.alice, body).lease
        self.assertEqual(self.release(lease)["cleanupStatus"], "complete")
        return lease, body

    # ---- lists ----

    def test_u8_filters_of_an_admin_and_of_a_user(self):
        def priced():
            """The catalogue is read soon after the start."""
            lease = self.create(slug="u8-one", **{"class": "tiny", "serverType": ""})
            return lease if "hourlyPrice" in lease else self.release(lease) and None
        one = until(priced)
        two = self.create(self.broker.bob, **{"class": "small", "serverType": "", "slug": "u8-two"})
        for query, ids in (("class=tiny&state=active", [one["id"]]), ("slug=u8-two", [two["id"]]),
                           ("owner=bob@example.com&state=active", [two["id"]]),
                           ("owner=bob@example.com&org=acme&view=current", [two["id"]]),
                           ("since=" + two["createdAt"], [two["id"]]),
                           ("class=tiny&owner=bob@example.com", []),
                           ("class=tiny&provider=hetzner&view=current&later=1", [one["id"]])):
            with self.subTest(query):
                self.assertEqual(self.ids(query, self.broker.admin), ids)
        self.assertEqual(self.ids("slug=u8-two"), [])
        self.assertEqual(self.ids("owner=bob@example.com&class=tiny&state=active"), [one["id"]])
        first = self.listed("slug=u8-one")["leases"][0]
        self.assertEqual(first["owner"], "alice@example.com")
        self.assertGreater(first["hourlyPrice"], 0)
        self.assertEqual(first["currency"], "EUR")
        shown = self.broker.cli("list", "--owner", "bob@example.com", "--since", "1h")
        self.assertRegex(shown, r"^LEASE +SLUG +STATE +TYPE +LOCATION +PRICE +AGE +ENDS +LEFT +OWNER")
        self.assertRegex(shown, two["id"] + r" +u8-two +active .* EUR/h .* bob@example.com")
        self.assertNotIn(one["id"], shown)
        shown = self.broker.cli("list", "--class", "tiny", token=self.broker.alice)
        self.assertIn(one["id"], shown)
        self.assertNotIn("OWNER", shown)
        answer = self.ask("GET", "/v1/leases?state=bogus", self.broker.alice)
        self.error(answer, 400, "invalid_query")
        for state in ("provisioning", "active", "released", "expired", "failed"):
            self.assertIn(state, answer.json["message"])
        self.release(one)
        self.release(two, self.broker.bob)

    def test_x3_unknown_keys_of_a_get_are_ignored(self):
        for path in ("/v1/leases", "/v1/whoami", "/v1/usage", "/v1/capacity", "/v1/providers",
                     "/v1/runs", "/v1/health"):
            answer = self.ask("GET", path + "?later=1&x", self.broker.alice)
            self.assertEqual(answer.status, 200, answer)
        self.error(self.ask("GET", "/v1/leases?limit=1&limit=2", self.broker.alice), 400,
                   "duplicate_query")
        self.error(self.ask("POST", "/v1/leases?later=1", self.broker.alice, {}), 400,
                   "unknown_query")

    # ---- slugs that ended ----

    def test_u21_an_ended_slug_is_found_by_its_owner(self):
        first, _ = self.ended(slug="u21-build")
        second, _ = self.ended(slug="u21-build")
        for path in ("", "/events", "/residue"):
            got = self.ask("GET", "/v1/leases/U21_build" + path, self.broker.alice)
            self.assertEqual(got.status, 200, got)
            for token in (self.broker.bob, self.broker.reader):
                self.error(self.ask("GET", "/v1/leases/u21-build" + path, token), 404, "not_found")
        got = self.ask("GET", "/v1/leases/u21-build", self.broker.alice).lease
        self.assertEqual(got["id"], second["id"])
        self.assertEqual(lease_wrong(got), [])
        self.assertEqual(self.ids("slug=u21-build"), [second["id"], first["id"]])
        live = self.create(slug="u21-build")
        self.assertEqual(live["slug"], "u21-build")
        self.assertEqual(self.ask("GET", "/v1/leases/u21-build", self.broker.alice).lease["id"],
                         live["id"])
        self.release(live)
        shown = self.broker.cli("show", "u21-build", token=self.broker.alice)
        self.assertIn(live["id"], shown)

    def test_x6_a_second_stop_by_slug(self):
        lease, _ = self.ended(slug="x6-build")
        before = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
        again = self.ask("POST", "/v1/leases/x6-build/release", self.broker.alice,
                         {"delete": True, "expectedProvider": "hetzner"})
        self.assertEqual((again.status, again.lease["id"]), (200, lease["id"]))
        self.assertEqual(lease_wrong(again.lease), [])
        self.assertEqual(again.lease["updatedAt"], before["updatedAt"])
        self.error(self.ask("POST", "/v1/leases/x6-build/release", self.broker.bob, {}), 404,
                   "not_found")

    def test_x6_what_is_kept_needs_its_id(self):
        lease = self.create(slug="x6-kept")
        for _ in range(2):  # the answer may be lost, and the request repeated
            kept = self.ask("POST", "/v1/leases/x6-kept/release", self.broker.alice,
                            {"delete": False})
            self.assertEqual((kept.status, kept.lease["cleanupStatus"]), (200, "retained"), kept)
        answer = self.ask("POST", "/v1/leases/x6-kept/release", self.broker.alice, {"delete": True})
        self.short(answer, 409, "retained_needs_id", lease)
        self.assertIn(lease["id"], answer.json["message"])
        self.assertEqual(len([s for s in self.broker.servers() if s["lease"] == lease["id"]]), 1)
        self.release(lease)

    # ---- errors about a lease ----

    def test_x5_errors_about_a_lease_are_short(self):
        lease, body = self.ended(slug="x5")
        path = "/v1/leases/" + lease["id"]
        beat = self.ask("POST", path + "/heartbeat", self.broker.alice, {})
        self.short(beat, 409, "lease_ended", lease)
        self.assertIn("released", beat.json["message"])
        self.assertIn(beat.lease["endedAt"], beat.json["message"])
        self.short(self.ask("POST", "/v1/leases", self.broker.alice, body), 409,
                   "lease_state_changed", lease)

    # ---- addresses ----

    def test_x7_an_ended_lease_keeps_its_last_address(self):
        lease, _ = self.ended(slug="x7")
        self.assertTrue(lease["host"])
        got = self.ask("GET", "/v1/leases/x7", self.broker.alice).lease
        # A client of 0.56 and later believes the end only without an address beside it.
        self.assertEqual(lease_wrong(got), [])
        self.assertEqual((got["host"], got["lastHost"]), ("", lease["host"]))
        self.assertIn(lease["host"], self.broker.cli("show", "x7", token=self.broker.alice))

    def test_x8_machines_of_the_pool_have_their_address(self):
        lease = self.create(slug="x8")
        pool = self.ask("GET", "/v1/pool", self.broker.admin)
        self.assertEqual(pool.status, 200, pool)
        mine = [m for m in pool.json["machines"] if m["labels"].get("lease") == lease["id"]]
        self.assertEqual([m["host"] for m in mine], [lease["host"]])
        self.release(lease)

    # ---- attention ----

    def test_u18_attention_says_why_and_what_next(self):
        lease = self.create(slug="u18")
        server = [s for s in self.broker.servers() if s["lease"] == lease["id"]][0]
        self.broker.cloud_ask("POST", "/servers/%s/actions/change_protection" % server["id"],
                              {"delete": True, "rebuild": True})
        self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice,
                 {"delete": True}, {"Prefer": "respond-async"})

        def marked():
            got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
            return got if "attention" in got else None
        got = until(marked)
        self.assertEqual(got["attentionAction"], "lessor resolve %s retry" % lease["id"])
        self.assertIn(got["attentionAction"], got["attention"])
        listed = self.listed("attention=true", self.broker.admin)["leases"]
        self.assertIn(got["attentionAction"], [one["attentionAction"] for one in listed])
        for words in (("list", "--attention"), ("show", "u18")):
            text = self.broker.cli(*words, token=self.broker.alice)
            self.assertIn("protect", text)
            self.assertIn(got["attentionAction"], text)
        self.broker.cloud_ask("POST", "/servers/%s/actions/change_protection" % server["id"],
                              {"delete": False, "rebuild": False})
        words = got["attentionAction"].split(" ")
        self.broker.cli(*words[1:], token=self.broker.alice)
        until(lambda: self.ask("GET", "/v1/leases/" + lease["id"],
                               self.broker.alice).lease["cleanup"]["state"] == "done")


class Pages(Case):
    def test_x3_pages_as_later_clients_ask_for_them(self):
        """Hundreds of leases, of two owners and partly ended, page by page."""
        late = {"Prefer": "respond-async"}
        tokens = [self.broker.token("x3-%s@example.com" % name, "x3", "user") for name in "ab"]

        def create(number):
            body = cli_body(slug="x3-%d" % number, **{"class": "tiny", "serverType": ""})
            return self.ask("POST", "/v1/leases", tokens[number % 2], body, late)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(create, range(500)))
        self.assertEqual({answer.status for answer in answers}, {201})
        mine = {answer.lease["id"] for answer in answers[::2]}

        def pages(query):
            cursor, seen, count = "", [], 0
            while True:
                page = self.listed(query + cursor, tokens[0])
                self.assertEqual(page["pagination"], "keyset-v1")
                for lease in page["leases"]:
                    # Of a summary; the whole lease has them.
                    self.assertFalse({"telemetryHistory", "provisioningAttempts"} & set(lease))
                seen += [lease["id"] for lease in page["leases"]]
                count += 1
                if "nextCursor" not in page:
                    return seen, count
                self.assertLessEqual(len(page["leases"]), 100)
                cursor = "&cursor=" + page["nextCursor"]
        seen, count = pages("view=current&pagination=keyset-v1&limit=100&provider=hetzner")
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLessEqual(set(seen), mine)
        self.assertGreaterEqual(count, 2)
        seen, count = pages("pagination=keyset-v1&limit=100")
        self.assertEqual((len(seen), set(seen), count), (250, mine, 3))
        # The form of before: without the marker, and the whole list at once.
        whole = self.listed("limit=1000&view=current", tokens[0])
        self.assertNotIn("pagination", whole)
        self.assertLessEqual(len(whole["leases"]), 500)
        for query in ("cursor=nonsense", "cursor=" + new_id(), "pagination=keyset-v9"):
            self.error(self.ask("GET", "/v1/leases?" + query, tokens[0]), 400, "invalid_query")


class Failures(Case):
    def test_x5_a_failed_create_is_short_and_the_lease_has_it_all(self):
        self.broker.fault("s.create", "error", status=412, code="resource_unavailable",
                          message="\"no\\ such\" " * 40)
        for status, kind, changes in ((409, "capacity", {}),
                                      (422, "invalid", {"serverType": "nope99",
                                                        "serverTypeExplicit": True})):
            if status == 422:
                self.broker.no_faults()
            body = cli_body(slug="x" * 41, **changes)
            answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
            self.short(answer, status, "provisioning_failed", {"id": body["leaseID"]})
            attempts = answer.json["provisioningAttempts"]
            self.assertGreater(len(attempts), 0)
            self.assertEqual({one["category"] for one in attempts}, {kind})
            whole = self.ask("GET", "/v1/leases/" + body["leaseID"], self.broker.alice).lease
            self.assertEqual(len(whole["provisioningAttempts"]),
                             len(attempts) + answer.json.get("attemptsOmitted", 0))
            self.assertTrue(whole["failureError"])


if __name__ == "__main__":
    unittest.main()
