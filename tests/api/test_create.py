# SPDX-License-Identifier: MIT
"""What a create says about its lease: what was changed, what it costs, when it ends."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, cli_body, moment, new_key, until  # noqa: E402


def plain(**more):
    """A create as a client of our own sends it; `class_` is the member class."""
    body = {"sshPublicKey": new_key(), "class": more.pop("class_", "tiny")}
    body.update(more)
    return body


def key_file(broker):
    with open(broker.home + "/key.pub", "w", encoding="ascii") as file:
        file.write(new_key() + "\n")
    return file.name


def notices(answer):
    return {n["code"]: n["message"] for n in answer.lease.get("notices", [])}


class Notices(BrokerCase):
    def setUp(self):
        self.made = []

    def tearDown(self):
        self.broker.no_faults()
        for token, lease in self.made:
            self.release(lease, token)

    def post(self, token=None, method="POST", path="/v1/leases", headers=None, **more):
        token = token or self.broker.alice
        answer = self.ask(method, path, token, plain(**more), headers)
        self.assertIn(answer.status, (200, 201), answer)
        if answer.status == 201:
            self.made.append((token, answer.lease))
        return answer

    def test_u4_nothing_changed_nothing_said(self):
        self.assertNotIn("notices", self.post(slug="plain", ttlSeconds=3600).lease)
        self.assertNotIn("notices", self.post().lease)
        lease = self.create()
        self.made.append((self.broker.alice, lease))
        self.assertNotIn("notices", lease)

    def test_u4_text_5_a_taken_slug(self):
        first = self.post(slug="build").lease
        body = dict(slug="build", headers={"Idempotency-Key": "build-2"}, sshPublicKey=new_key())
        second = self.post(**body)
        slug = second.lease["slug"]
        self.assertRegex(slug, "^build-[0-9a-f]{4}$")
        said = {"slug_taken": "'build' is taken by %s; this one is %s" % (first["id"], slug)}
        self.assertEqual(notices(second), said)
        again = self.post(**body)
        self.assertEqual((again.status, notices(again)), (200, said))
        # Not in any other answer.
        got = self.ask("GET", "/v1/leases/" + slug, self.broker.alice)
        self.assertNotIn("notices", got.lease)
        # The slug means the lease that has it; the answer to the create said so.
        self.release(dict(first, id="build"))
        got = self.ask("GET", "/v1/leases/" + second.lease["id"], self.broker.alice)
        self.assertEqual(got.lease["state"], "active")
        again = self.post(**body)
        self.assertEqual(notices(again), {"slug_taken": "'build' is taken; this one is " + slug})

    def test_u4_the_slug_of_somebody_else_is_free(self):
        theirs = self.post(self.broker.bob, slug="build").lease
        self.broker_lease = self.post(slug="build")
        self.assertEqual(self.broker_lease.lease["slug"], "build")
        self.assertEqual(notices(self.broker_lease), {})
        self.release(dict(theirs, id="build"))
        got = self.ask("GET", "/v1/leases/" + theirs["id"], self.broker.bob)
        self.assertEqual(got.lease["state"], "active")
        # By slug the other one is as good as missing, also after one's own has ended.
        self.assertNotEqual(self.ask("GET", "/v1/leases/build", self.broker.alice).json.get(
            "lease", {}).get("id"), theirs["id"])

    def test_u4_a_slug_written_otherwise(self):
        made = self.post(slug="Bad_Slug")
        self.assertEqual(made.lease["slug"], "bad-slug")
        self.assertEqual(notices(made), {"slug_changed": "slug 'Bad_Slug' is written 'bad-slug'"})

    def test_u4_text_6_times(self):
        made = self.post(ttlSeconds=3 * 86400, idleTimeoutSeconds=2 * 86400)
        self.assertEqual(notices(made), {
            "ttl_shortened": "ttl: 3d is more than this server allows: 24h",
            "idle_shortened": "idle timeout: 2d is more than this server allows: 24h"})
        self.assertEqual(made.lease["ttlSeconds"], 86400)
        beat = "/v1/leases/%s/heartbeat" % made.lease["id"]
        answer = self.ask("POST", beat, self.broker.alice, {"idleTimeoutSeconds": 172800})
        self.assertEqual(notices(answer), {
            "idle_shortened": "idle timeout: 2d is more than this server allows: 24h"})
        answer = self.ask("POST", beat, self.broker.alice, {"idleTimeoutSeconds": 600})
        self.assertEqual(notices(answer), {})

    def test_u4_a_fallback(self):
        self.broker.sim("POST", "/_sim/faults", {
            "match": {"op": "s.create", "server_type": "ccx33"}, "count": "always",
            "fault": {"kind": "sold_out"}})
        # The other tests have another class: a type that is sold out is not tried for a while.
        made = self.post(class_="standard")
        self.assertEqual(notices(made), {
            "type_fallback": "ccx33 is not available (capacity); this machine is of type cpx62"})

    def test_u4_a_put(self):
        body = cli_body(createAttemptID=..., ttlSeconds=172800)
        path = "/v1/leases/" + body["leaseID"]
        for status in (201, 200):
            answer = self.ask("PUT", path, self.broker.alice, body)
            self.assertEqual(answer.status, status, answer)
            self.assertEqual(list(notices(answer)), ["ttl_shortened"])
        self.made.append((self.broker.alice, answer.lease))

    def test_u4_the_command_line_says_it(self):
        words = ("create", "--class", "tiny", "--slug", "Cli_Build", "--ttl", "3d", "--ssh-key",
                 key_file(self.broker))
        said = self.broker.cli(*words, token=self.broker.alice)
        self.assertIn("note: slug 'Cli_Build' is written 'cli-build'\n", said)
        self.assertIn("note: ttl: 3d is more than this server allows: 24h\n", said)
        said = self.broker.cli(*words, "--json", token=self.broker.alice)
        self.assertRegex(said, "note: 'cli-build' is taken by cbx_[0-9a-f]{12}; this one is "
                         "cli-build-[0-9a-f]{4}\n")
        said = self.broker.cli("heartbeat", "cli-build", "--idle", "2d", token=self.broker.alice)
        self.assertIn("note: idle timeout: 2d is more than this server allows: 24h\n", said)
        for lease in self.ask("GET", "/v1/leases?state=active", self.broker.alice).json["leases"]:
            self.release(lease)


class Extend(BrokerCase):
    def tearDown(self):
        for lease in self.ask("GET", "/v1/leases?state=active", self.broker.admin).json["leases"]:
            self.release(lease, self.broker.admin)

    def lease(self, ref):
        return self.ask("GET", "/v1/leases/" + ref, self.broker.alice).lease

    def lives(self, ref):
        """Seconds from its creation to its end without a heartbeat."""
        lease = self.lease(ref)
        return moment(lease["expiresAt"]) - moment(lease["createdAt"])

    def cli(self, *words, code=0):
        return self.broker.cli(*words, token=self.broker.alice, code=code)

    def test_u1_for_an_hour_is_an_hour(self):
        said = self.cli("create", "--class", "tiny", "--ttl", "1h", "--slug", "hour", "--ssh-key",
                        key_file(self.broker))
        self.assertEqual(self.lives("hour"), 3600)
        self.assertRegex(said, r"\nends in (59m|1h)[ 0-9s]* \(\S+Z\)\n")
        self.assertRegex(said, r"\nccx13 in fsn1, [0-9.]+ EUR/h\n")
        self.assertIn("to keep it longer: lessor extend cbx_", said)
        # With an idle timeout of one's own: both are said.
        said = self.cli("create", "--class", "tiny", "--ttl", "2h", "--idle", "30m", "--slug",
                        "both", "--ssh-key", key_file(self.broker))
        self.assertRegex(said, r"\nends in (29m|30m)[ 0-9s]* without a heartbeat \(\S+Z\), at the "
                         r"latest in (1h 59m|2h)\n")
        self.assertEqual(self.lease("both")["idleTimeoutSeconds"], 1800)

    def test_u1_extend(self):
        lease = self.create(slug="more", ttlSeconds=3600, idleTimeoutSeconds=600)
        self.assertLess(self.lives("more"), 3600)
        said = self.cli("extend", "more", "2h")
        self.assertRegex(said, r"^%s \(more\) active\nends in (1h 59m|2h)[ 0-9ms]* \(" % lease["id"])
        self.assertNotIn("note:", said)
        got = self.lease("more")
        self.assertGreaterEqual(self.lives("more"), 7200)
        self.assertGreaterEqual(min(got["ttlSeconds"], got["idleTimeoutSeconds"]), 7200)
        events = self.ask("GET", "/v1/leases/more/events", self.broker.alice).json["events"]
        texts = [e["message"] for e in events if e["type"] == "lease.extended"]
        self.assertEqual(len(texts), 1, events)
        self.assertRegex(texts[0], "^extended to 20")
        # Nothing is shortened, and a repetition with the same time changes nothing.
        self.assertIn("nothing was shortened", self.cli("extend", "more", "1m"))
        path = "/v1/leases/more/extend"
        for body in ({"ttlSeconds": got["ttlSeconds"]}, {"ttlSeconds": 60}):
            answer = self.ask("POST", path, self.broker.alice, body)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(self.lease("more"), got)

    def test_u1_extend_up_to_the_limit(self):
        self.create(slug="limit")
        said = self.cli("extend", "limit", "3d")
        self.assertIn("note: 3d is more than this server allows: 24h in all\n", said)
        self.assertEqual(said.count("note:"), 1, said)
        self.assertEqual(self.lease("limit")["ttlSeconds"], 86400)

    def test_u1_extend_survives_a_restart(self):
        self.create(slug="last", ttlSeconds=3600)
        answer = self.ask("POST", "/v1/leases/last/extend", self.broker.alice,
                          {"ttlSeconds": 9000, "idleTimeoutSeconds": 9000})
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.lease("last")["expiresAt"], answer.lease["expiresAt"])

    def test_u1_extend_refuses(self):
        lease = self.create(slug="over")
        self.error(self.ask("POST", "/v1/leases/over/extend", self.broker.bob,
                            {"ttlSeconds": 7200}), 404, "not_found")
        self.ask("PUT", "/v1/leases/over/share", self.broker.alice,
                 {"users": {"bob@example.com": "use"}})
        self.error(self.ask("POST", "/v1/leases/over/extend", self.broker.bob,
                            {"ttlSeconds": 7200}), 403, "forbidden")
        self.release(lease)
        self.error(self.ask("POST", "/v1/leases/%s/extend" % lease["id"], self.broker.alice,
                            {"ttlSeconds": 7200}), 409, "lease_ended")
        self.assertIn("lease_ended", self.cli("extend", lease["id"], "1h", code=6))
        self.assertIn("is not a duration", self.cli("extend", lease["id"], "soon", code=2))

    def test_u1_a_lease_past_its_end_is_not_revived(self):
        lease = self.create(slug="short", ttlSeconds=1, idleTimeoutSeconds=1)
        path = "/v1/leases/%s/extend" % lease["id"]
        until(lambda: self.lease(lease["id"])["state"] != "active")
        answer = self.ask("POST", path, self.broker.alice, {"ttlSeconds": 7200})
        self.assertIn(answer.error, ("lease_expired", "lease_ended"))
        self.assertEqual(self.lease(lease["id"])["state"], "expired")


class Classes(BrokerCase):
    """The built-in classes."""

    def setUp(self):
        until(lambda: "type" in self.classes()["small"], why="the prices are not known")

    def tearDown(self):
        for lease in self.ask("GET", "/v1/leases?state=active", self.broker.admin).json["leases"]:
            self.release(lease, self.broker.admin)

    def classes(self, query=""):
        doc = self.ask("GET", "/v1/classes" + query, self.broker.alice).json
        self.assertEqual(doc["default"], "small")
        return {c["name"]: c for c in doc["classes"]}

    def post(self, token=None, **more):
        return self.ask("POST", "/v1/leases", token or self.broker.alice, plain(**more))

    def leases(self):
        return len(self.ask("GET", "/v1/leases", self.broker.alice).json["leases"])

    def test_u2_classes_and_prices(self):
        small = self.classes()["small"]
        self.assertEqual([t["name"] for t in small["types"]], ["ccx23", "cpx32", "cx33"])
        self.assertEqual((small["type"], small["currency"]), ("ccx23", "EUR"))
        self.assertEqual(small["hourlyPrice"], small["types"][0]["hourlyPrice"])
        made = self.post(class_="small").lease
        self.assertEqual((made["hourlyPrice"], made["serverType"]), (small["hourlyPrice"], "ccx23"))
        self.assertEqual(self.classes("?provider=hetzner")["small"], small)
        self.error(self.ask("GET", "/v1/classes?provider=nope", self.broker.alice), 400,
                   "invalid_provider")
        said = self.broker.cli("classes", token=self.broker.alice)
        self.assertRegex(said, r"(?m)^small +[0-9.]+ EUR/h +ccx23, cpx32, cx33$")
        self.assertIn("without --class: small", said)

    def test_u2_without_flags_it_is_a_modest_one(self):
        answer = self.ask("POST", "/v1/leases", self.broker.alice, {"sshPublicKey": new_key()})
        self.assertEqual((answer.status, answer.lease["class"]), (201, "small"))
        said = self.broker.cli("create", "--ssh-key", key_file(self.broker),
                               token=self.broker.alice)
        self.assertRegex(said, r"(?m)^small: ccx23, [0-9.]+ EUR/h$")
        self.assertRegex(said, r"(?m)^ccx23 in fsn1, [0-9.]+ EUR/h$")

    def test_u5_text_4_a_class_that_is_none(self):
        before = self.leases()
        answer = self.post(class_="huge")
        self.error(answer, 400, "unknown_class")
        self.assertEqual(answer.json["message"], "there is no class or type 'huge'; classes: tiny, "
                         "small, standard, fast, large, beast")
        answer = self.post(serverType="huge", serverTypeExplicit=True)
        self.error(answer, 400, "unknown_class")
        self.assertIn("there is no type 'huge'; classes: tiny", answer.json["message"])
        for name in ("Small", "not_found", "big.one"):
            answer = self.post(class_=name)
            self.error(answer, 400, "unknown_class")
            self.assertIn("'; classes: tiny, small", answer.json["message"])
        # The admin's as well: nobody has such a type.
        self.error(self.post(self.broker.admin, class_="huge"), 400, "unknown_class")
        self.assertEqual(self.leases(), before)
        said = self.broker.cli("create", "--class", "huge", "--ssh-key", key_file(self.broker),
                               token=self.broker.alice, code=4)
        self.assertIn("there is no class or type 'huge'; classes: tiny, small, standard", said)

    def test_u5_a_type_in_the_place_of_a_class(self):
        made = self.post(class_="cx23")
        self.assertEqual((made.status, made.lease["serverType"]), (201, "cx23"), made)

    def test_u5_the_crabbox_client_goes_on_working(self):
        # Its own table is that of the built-in classes; a type of its user is explicit.
        for more in ({}, {"class": "tiny", "serverType": "ccx13"},
                     {"class": "standard", "serverType": "standard"},
                     {"class": "beast", "serverType": "cpx62", "serverTypeExplicit": True}):
            self.assertEqual(self.ask("POST", "/v1/leases", self.broker.alice,
                                      cli_body(**more)).status, 201)

    def test_u7_capacity(self):
        self.post(class_="small")
        for token, scopes in ((self.broker.alice, ["owner"]), (self.broker.reader, ["owner", "org"]),
                              (self.broker.admin, ["owner", "org", "account", "total"])):
            doc = self.ask("GET", "/v1/capacity", token).json
            self.assertEqual([s["scope"] for s in doc["scopes"]], scopes)
            self.assertEqual(doc["currency"], "EUR")
        total = doc["scopes"][-1]
        self.assertEqual(total["used"], 1)
        self.assertEqual(total["hourlyPrice"], self.classes()["small"]["hourlyPrice"])
        said = self.broker.cli("capacity", token=self.broker.alice)
        self.assertRegex(said, r"(?m)^owner alice@example.com +1 +- +[0-9.]+ EUR/h +- +[0-9.]+ EUR +-$")


class AllowedTypes(BrokerCase):
    options = {"limits": "max_active = 50\n[class only]\ntypes = cx23\n[class two]\ntypes = cx33"}

    def setUp(self):
        until(lambda: self.broker.ask("GET", "/v1/classes", self.broker.alice).json["classes"][0]
              .get("type"), why="the prices are not known")

    tearDown = Classes.tearDown
    post = Classes.post
    leases = Classes.leases

    def explicit(self, name, token=None):
        return self.post(token, serverType=name, serverTypeExplicit=True)

    def test_u3_a_type_that_no_class_has(self):
        before = self.leases()
        answer = self.explicit("ccx63")
        self.error(answer, 400, "type_not_allowed")
        self.assertEqual(answer.json["message"], "type 'ccx63' is not allowed in account hetzner; "
                         "allowed types: cx23, cx33")
        self.error(self.post(class_="ccx63"), 400, "type_not_allowed")
        self.error(self.ask("PUT", "/v1/leases/cbx_0123456789ab", self.broker.alice, plain(
            class_="only", serverType="ccx63", serverTypeExplicit=True)), 400, "type_not_allowed")
        self.assertEqual(self.leases(), before)
        said = self.broker.cli("create", "--type", "ccx63", "--ssh-key", key_file(self.broker),
                               token=self.broker.alice, code=4)
        self.assertIn("allowed types: cx23, cx33", said)
        # What a class has may be had, also by its name, and an admin may have all.
        for answer in (self.explicit("cx33"), self.post(class_="cx23"),
                       self.explicit("ccx63", self.broker.admin)):
            self.assertEqual(answer.status, 201, answer)

    def test_u3_what_a_client_only_suggests_is_left_out(self):
        answer = self.post(class_="only", serverType="ccx63")
        self.assertEqual((answer.status, answer.lease["serverType"]), (201, "cx23"))
        self.assertEqual(answer.lease["requestedServerType"], "ccx63")
        # The client's own class: it is not one of this server.
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body())
        self.error(answer, 400, "unknown_class")
        self.assertIn("classes: only, two", answer.json["message"])

    def test_u2_the_default_is_the_first(self):
        answer = self.ask("POST", "/v1/leases", self.broker.alice, {"sshPublicKey": new_key()})
        self.assertEqual((answer.status, answer.lease["class"]), (201, "only"))

    def test_u3_the_account_allows_more(self):
        def reload(old, new):
            told = self.broker.log().count("configuration reloaded")
            self.broker.edit(old, new)
            self.broker.process.send_signal(signal.SIGHUP)
            until(lambda: self.broker.log().count("configuration reloaded") > told)
            self.assertNotIn("needs a restart", self.broker.log())

        reload("poll = 50ms", "poll = 50ms\nallowed_types = cpx22")
        self.assertEqual(self.explicit("cpx22").status, 201)
        self.assertIn("allowed types: cpx22, cx23, cx33", self.explicit("ccx63").json["message"])
        reload("allowed_types = cpx22", "allowed_types = any")
        self.assertEqual(self.explicit("ccx13").status, 201)
        # But there must be such a type.
        self.error(self.explicit("huge"), 400, "unknown_class")
        reload("allowed_types = any", "max_steps = 8")
        self.error(self.explicit("ccx13"), 400, "type_not_allowed")
        reload("max_active = 50", "max_active = 50\ndefault_class = two")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, {"sshPublicKey": new_key()})
        self.assertEqual((answer.status, answer.lease["class"]), (201, "two"))
        reload("default_class = two", "default_class = only")


if __name__ == "__main__":
    unittest.main()
