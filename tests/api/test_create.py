# SPDX-License-Identifier: MIT
"""What a create says about its lease: what was changed, what it costs, when it ends."""
import os
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
        self.assertIn("is more than this server allows: 24h\n", said)
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


if __name__ == "__main__":
    unittest.main()
