# SPDX-License-Identifier: MIT
"""What a create says about its lease: what was changed, what it costs, when it ends."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, cli_body, new_key  # noqa: E402


def plain(**more):
    """A create as a client of our own sends it; `class_` is the member class."""
    body = {"sshPublicKey": new_key(), "class": more.pop("class_", "tiny")}
    body.update(more)
    return body


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
        with open(self.broker.home + "/key.pub", "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
        words = ("create", "--class", "tiny", "--slug", "Cli_Build", "--ttl", "3d", "--ssh-key",
                 self.broker.home + "/key.pub")
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


if __name__ == "__main__":
    unittest.main()
