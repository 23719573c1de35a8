# SPDX-License-Identifier: MIT
"""lessor create: progress, lost responses, Ctrl-C, failures."""
import os
import re
import signal

from cli_case import (KEY, NOT_FOUND, RESIDUE, Case, error, gone, lease, main, ok, owed)
from cli_server import DROP, HANG, Answer

ATTEMPT = {"serverType": "ccx13", "region": "fsn1", "category": "quota",
           "message": "resource limit exceeded"}


def canceled(request, **more):
    lease_id = request.path.split("/")[3]
    return Answer(200, dict({"canceledCreate": {
        "version": 1, "requestedLeaseID": lease_id, "state": "canceled",
        "createAttemptID": request.body["createAttemptID"]}}, **more))


class Slow:
    """Provisions over some polls; with events if asked to."""

    def __init__(self, polls=2, events=False, end=None):
        self.polls, self.events, self.end = polls, events, end
        self.id = None

    def __call__(self, request):
        if request.method == "POST" and request.path == "/v1/leases":
            self.id = request.body["leaseID"]
            return ok(lease("provisioning", id=self.id), 201)
        if request.path.endswith("/events"):
            if not self.events:
                return NOT_FOUND
            after = int(request.query.split("after=")[1].split("&")[0])
            all_events = [{"seq": 1, "at": "2026-08-21T10:00:00Z", "type": "attempt.started",
                           "message": "attempt 1: ccx13 in fsn1"},
                          {"seq": 2, "at": "2026-08-21T10:00:01Z", "type": "attempt.refused",
                           "message": "evil \x1b[2Jtext"}]
            return Answer(200, {"events": [e for e in all_events if e["seq"] > after]})
        self.polls -= 1
        attempts = [ATTEMPT] if self.polls < 2 else []
        if self.polls > 0:
            return ok(lease("provisioning", id=self.id, provisioningAttempts=attempts))
        if self.end:
            return ok(self.end)
        return ok(lease(id=self.id, provisioningAttempts=attempts))


class Create(Case):
    def test_request(self):
        server = self.serve(lambda r: ok(lease(id=r.body["leaseID"]), 201))
        with open(self.home + "/k.pub", "w") as f:
            f.write("# a comment\n" + KEY + " x\n")
        with open(self.home + "/k", "w") as f:
            f.write("no key, but there is a file")
        r = self.run_cli("create", "--type", "cx23", "--ttl", "1h30m", "--idle=20m", "--slug",
                         "my-box", "--account", "hz2", "--location", "nbg1", "--image",
                         "debian-12", "--keep", "--ssh-key", self.home + "/k.pub", code=0)
        body = server.requests[0].body
        self.assertRegex(body.pop("leaseID"), r"^cbx_[0-9a-f]{12}$")
        self.assertRegex(body.pop("createAttemptID"), r"^cat_[0-9a-f]{32}$")
        self.assertEqual(body, {
            "target": "linux", "provider": "hz2", "serverType": "cx23",
            "serverTypeExplicit": True, "slug": "my-box", "location": "nbg1",
            "locationExplicit": True, "image": "debian-12", "imageExplicit": True, "sshPublicKey": KEY, "ttlSeconds": 5400,
            "idleTimeoutSeconds": 1200, "keep": True})
        self.assertEqual(server.requests[0].headers["Authorization"], "Bearer s3cret-token")
        self.assertIn("wait=", server.requests[0].headers["Prefer"])
        self.assertEqual(r.out.splitlines(), [
            "ready: 203.0.113.7 2222 crabbox",
            "ssh -i %s/k -p 2222 crabbox@203.0.113.7" % self.home])

    def test_u4_notices_are_printed(self):
        said = [{"code": "slug_taken", "message": "'build' is taken; this one is build-9653"},
                {"code": "ttl_shortened", "message": "ttl: 3d is more than \x1b[2J: 24h"},
                {"code": "idle_shortened", "message": "idle timeout: 3d is more than that: 24h"}]
        self.serve(lambda r: ok(lease(id=r.body["leaseID"], notices=said, ttlSeconds=86400,
                                      idleTimeoutSeconds=86400), 201))
        for words in ([], ["--json"], ["--no-wait"]):
            r = self.run_cli("create", *words, code=0)
            self.assertIn("note: 'build' is taken; this one is build-9653\n", r.err)
            self.assertIn("note: ttl: 3d is more than \\x1b[2J: 24h\n", r.err)
            # It would never end the lease.
            self.assertNotIn("idle timeout:", r.err)
        said.pop(1)
        self.assertIn("idle timeout: 3d is", self.run_cli("create", code=0).err)

    def test_u4_a_fallback_is_said_once(self):
        self.serve(Slow(1))
        r = self.run_cli("create", "--location", "nbg1", code=0)
        self.assertIn("note: ccx13 is not available; this machine is of type cx23\n", r.err)
        self.assertIn("note: nbg1 is not available; this machine is in fsn1\n", r.err)
        said = [{"code": "type_fallback", "message": "a type"},
                {"code": "location_fallback", "message": "a place"}]
        self.serve(lambda r: ok(lease(id=r.body["leaseID"], notices=said), 201))
        r = self.run_cli("create", "--location", "nbg1", code=0)
        self.assertEqual(r.err.count("note: "), 2, r.err)

    def test_u2_the_price_is_said_before_and_after(self):
        server = self.serve(lambda r: ok(lease(id=r.body["leaseID"], hourlyPrice=0.0123,
                                               currency="EUR"), 201))
        server.classes = {"default": "small", "provider": "hetzner", "classes": [
            {"name": "small", "types": [{"name": "ccx23", "available": False},
                                        {"name": "cx33", "hourlyPrice": 0.0123, "currency": "EUR"}],
             "type": "cx33", "hourlyPrice": 0.0123, "currency": "EUR"},
            {"name": "odd", "types": [{"name": "x1"}]}]}
        for words, said in (([], "small: cx33, 0.0123 EUR/h"),
                            (["--class", "odd"], "odd: price unknown"),
                            (["--type", "cx33"], "cx33: 0.0123 EUR/h"),
                            (["--type", "ccx23"], "ccx23: price unknown"),
                            (["--type", "zz9"], "zz9: price unknown")):
            r = self.run_cli("create", *words, code=0)
            self.assertEqual(r.err.split("\n")[0], said)
            self.assertIn("\ncx23 in fsn1, 0.0123 EUR/h\n", r.err)
        # A class that the server does not have is its to refuse.
        self.assertNotIn("huge", self.run_cli("create", "--class", "huge", code=0).err)
        self.run_cli("create", "--account", "hz 2", code=0)
        self.assertEqual(server.asked_for_classes[-1], "provider=hz%202")
        # JSON is for programs: one request.
        count = len(server.asked_for_classes)
        self.run_cli("create", "--json", code=0)
        self.assertEqual(len(server.asked_for_classes), count)

    def test_u2_an_unknown_price_is_said(self):
        self.serve(lambda r: ok(lease(id=r.body["leaseID"]), 201))
        self.assertIn("\ncx23 in fsn1, price unknown\n", self.run_cli("create", code=0).err)

    def test_u1_a_ttl_alone_needs_no_heartbeats(self):
        server = self.serve(lambda r: ok(lease(id=r.body["leaseID"]), 201))
        for words, ttl, idle in ((["--ttl", "1h"], 3600, 3600), ([], None, None),
                                 (["--idle", "10m"], None, 600),
                                 (["--idle", "10m", "--ttl", "1h"], 3600, 600)):
            self.run_cli("create", *words, code=0)
            body = server.seen("POST")[-1].body
            self.assertEqual((body.get("ttlSeconds"), body.get("idleTimeoutSeconds")), (ttl, idle))

    def test_settings_file(self):
        server = self.serve(lambda r: ok(lease(id=r.body["leaseID"]), 201))
        os.makedirs(self.home + "/.config/lessor")
        with open(self.home + "/.config/lessor/lessor.conf", "w") as f:
            f.write("account = hz\nclass = tiny\n")
        self.run_cli("create", code=0)
        self.assertEqual(server.requests[0].body["provider"], "hz")
        self.assertEqual(server.requests[0].body["class"], "tiny")
        self.run_cli("create", "--type", "cx23", code=0)
        self.assertNotIn("class", server.seen("POST")[1].body)

    def test_waits_with_attempts(self):
        self.serve(Slow(3))
        r = self.run_cli("create", "--class", "tiny", code=0)
        self.assertEqual(r.err.count("attempt 1: ccx13 in fsn1: quota: resource limit exceeded"), 1)
        self.assertIn("ready: 203.0.113.7 2222 crabbox\nssh -p 2222 crabbox@203.0.113.7\n", r.out)
        self.assertNotIn("\r", r.err)

    def test_waits_with_events(self):
        self.serve(Slow(2, events=True))
        r = self.run_cli("create", code=0)
        self.assertEqual(r.err.count("attempt.started: attempt 1: ccx13 in fsn1"), 1)
        self.assertIn("evil \\x1b[2Jtext", r.err)

    def test_terminal(self):
        self.serve(Slow(3))
        code, text = self.run_tty("create")
        self.assertEqual(code, 0, text)
        self.assertIn("\r\x1b[K", text)
        self.assertRegex(text, r"\ds provisioning: violet-prawn")
        self.assertIn("ready: 203.0.113.7 2222 crabbox", text)

    def test_json(self):
        self.serve(Slow(2))
        r = self.run_cli("create", "--json", code=0)
        self.assertEqual(r.json()["lease"]["state"], "active")

    def test_no_wait(self):
        server = self.serve(Slow(9))
        r = self.run_cli("create", "--no-wait", code=0)
        self.assertRegex(r.out, r"^provisioning: cbx_")
        self.assertEqual(len(server.requests), 1)

    def test_b8_no_wait_asks_the_server_not_to_wait(self):
        server = self.serve(Slow(9))
        self.run_cli("create", "--no-wait", code=0)
        self.run_cli("create", "--wait=1s", code=7)
        self.assertEqual(server.seen("POST")[0].headers["Prefer"], "respond-async")
        self.assertRegex(server.seen("POST")[1].headers["Prefer"], r"^wait=\d+$")

    def test_b8_refused_is_one_request(self):
        for words in (["--no-wait"], []):
            server = self.serve(lambda r: error(429, "cost_limit_exceeded"))
            self.run_cli("create", *words, code=4)
            self.assertEqual(len(server.requests), 1)

    def test_b8_the_first_polls_follow_soon(self):
        """Ten polls would take ten seconds at one a second; --wait=8s ends before that."""
        server = self.serve(Slow(10))
        self.run_cli("create", "--wait=8s", code=0)
        self.assertEqual(len(server.seen("POST")), 1)

    def test_wait_ends(self):
        server = self.serve(Slow(99))
        r = self.run_cli("create", "--wait=2s", code=7)
        self.assertIn("the create continues", r.err)
        self.assertEqual(server.seen("POST", "/cancel-create"), [])

    def test_lost_answers_are_asked_for_again(self):
        answers = [DROP, error(503, "busy"), Answer(200, raw=b"not json")]

        def script(request):
            if answers:
                return answers.pop(0)
            return ok(lease(id=request.body["leaseID"]))
        server = self.serve(script)
        r = self.run_cli("create", code=0)
        posts = server.seen("POST")
        self.assertEqual(len(posts), 4)
        self.assertEqual(len({r.raw for r in posts}), 1, "the same body each time")
        self.assertIn("retrying", r.err)

    def test_lost_for_good_is_taken_back(self):
        def script(request):
            if request.path.endswith("/cancel-create"):
                return canceled(request)
            return DROP
        server = self.serve(script)
        r = self.run_cli("create", "--wait=3s", code=7)
        self.assertGreater(len(server.seen("POST", "/v1/leases")), 1)
        self.assertIn("cancelled: nothing was created", r.err)
        posted = server.requests[0].body
        cancel = server.seen("POST", "/cancel-create")
        self.assertEqual(len(cancel), 1)
        self.assertIn(posted["leaseID"], cancel[0].path)
        self.assertEqual(cancel[0].body, {"createAttemptID": posted["createAttemptID"]})

    def test_a_refusal_after_a_lost_answer_is_taken_back(self):
        """A refused repetition proves nothing about the lost request."""
        answers = [DROP, error(429, "slow_down"), error(401, "unauthorized")]

        def script(request):
            if request.path.endswith("/cancel-create"):
                return canceled(request, lease=gone())
            return answers.pop(0)
        server = self.serve(script)
        r = self.run_cli("create", code=5)
        self.assertEqual(answers, [])
        self.assertEqual(len(server.seen("POST", "/cancel-create")), 1)
        self.assertIn("cancelled: nothing is left", r.err)

    def test_lost_and_cannot_be_taken_back(self):
        self.serve(lambda r: DROP)
        r = self.run_cli("create", "--wait=1s", code=7)
        self.assertRegex(r.err, r"a machine of lease cbx_[0-9a-f]{12} may exist")
        self.assertIn("lessor release cbx_", r.err)

    def test_4xx_is_final(self):
        server = self.serve(lambda r: error(429, "cost_limit_exceeded", "no more leases"))
        r = self.run_cli("create", code=4)
        self.assertEqual(len(server.requests), 1)
        self.assertIn("no more leases (cost_limit_exceeded, HTTP 429)", r.err)
        self.assertEqual(r.out, "")

    def test_unreachable_is_said_at_once(self):
        self.env["LESSOR_URL"] = "http://127.0.0.1:1"
        r = self.run_cli("create", code=7)
        self.assertIn("cannot connect to http://127.0.0.1:1: Connection refused", r.err)
        self.assertIn("LESSOR_URL", r.err)

    def test_failed(self):
        end = owed("failed", residue=RESIDUE)
        end.update(failureError="no capacity", provisioningAttempts=[ATTEMPT])
        self.serve(Slow(1, end=end))
        r = self.run_cli("create", code=6)
        self.assertIn("failed: no capacity", r.err)
        self.assertIn("attempt 1: ccx13 in fsn1: quota", r.err)
        self.assertIn("still cleaning up: server 4711", r.err)

    def test_failed_in_the_answer(self):
        self.serve(lambda r: error(409, "provisioning_failed", "No server is to be had.",
                                   lease=gone("failed", provisioningAttempts=[ATTEMPT])))
        r = self.run_cli("create", "--json", code=6)
        self.assertIn("No server is to be had.", r.err)
        self.assertIn("attempt 1: ccx13", r.err)
        self.assertEqual(r.json()["lease"]["state"], "failed")

    def test_x5_the_answer_has_a_reference_and_the_lease_the_rest(self):
        whole = gone("failed", provisioningAttempts=[ATTEMPT])
        short = {key: whole[key] for key in ("id", "slug", "state")}
        self.serve(lambda r: ok(whole) if r.method == "GET" else
                   error(409, "provisioning_failed", "No server is to be had.", lease=short))
        r = self.run_cli("create", "--json", code=6)
        self.assertIn("No server is to be had.", r.err)
        self.assertIn("attempt 1: ccx13", r.err)
        self.assertEqual(r.json()["lease"], whole)

    def test_ctrl_c_while_asking(self):
        def script(request):
            return canceled(request) if request.path.endswith("/cancel-create") else HANG
        server = self.serve(script)
        r = self.interrupt_when(server, "POST", "/v1/leases", ["create"])
        self.assertEqual(r.code, 130, r.err)
        self.assertIn("cancelled: nothing was created", r.err)

    def test_ctrl_c_while_waiting(self):
        slow, state = Slow(99), {"canceled": False, "polls": 0}

        def script(request):
            if request.path.endswith("/cancel-create"):
                state["canceled"] = True
                return canceled(request, lease=owed())
            if state["canceled"] and request.method == "GET":
                state["polls"] += 1
                return ok(owed() if state["polls"] < 3 else gone())
            return slow(request)
        server = self.serve(script)
        r = self.interrupt_when(server, "GET", "", ["create"])
        self.assertEqual(r.code, 130, r.err)
        self.assertIn("cancelled: nothing is left", r.err)

    def test_sigterm_with_something_left(self):
        slow = Slow(99)

        def script(request):
            if request.path.endswith("/cancel-create"):
                return canceled(request, lease=owed(cleanup="attention"))
            return slow(request)
        server = self.serve(script)
        r = self.interrupt_when(server, "GET", "", ["create"], number=signal.SIGTERM)
        self.assertEqual(r.code, 8, r.err)
        self.assertIn("server 4711 (crabbox-violet-prawn), ssh_key 12 (key-x)", r.err)

    def test_ctrl_c_twice_gives_up(self):
        slow = Slow(99)

        def script(request):
            return HANG if request.path.endswith("/cancel-create") else slow(request)
        server = self.serve(script)
        process = self.start("create")
        for end in ("/v1/leases", "/cancel-create"):
            server.await_request("POST", end)
            process.send_signal(signal.SIGINT)
        r = self.finish(process, 5)
        self.assertEqual(r.code, 7, r.err)
        self.assertIn("may exist until the lease ends", r.err)

    def test_cancel_refused(self):
        slow = Slow(99)

        def script(request):
            if request.path.endswith("/cancel-create"):
                return error(409, "create_attempt_conflict")
            return slow(request)
        server = self.serve(script)
        r = self.interrupt_when(server, "GET", "", ["create"])
        self.assertEqual(r.code, 4, r.err)
        self.assertIn("cannot cancel the create", r.err)

    def test_vanished_while_waiting(self):
        def script(request):
            return ok(lease("provisioning"), 201) if request.method == "POST" else NOT_FOUND
        self.serve(script)
        self.run_cli("create", code=3)

    def test_a_short_outage_while_waiting(self):
        slow, outage = Slow(3), [DROP, error(500, "internal")]

        def script(request):
            if request.method == "GET" and outage:
                return outage.pop(0)
            return slow(request)
        self.serve(script)
        self.run_cli("create", code=0)

    def test_an_address_that_is_none(self):
        self.serve(lambda r: ok(lease(host="-oProxyCommand=touch /tmp/x"), 201))
        r = self.run_cli("create", code=1)
        self.assertEqual(r.out, "")
        self.serve(lambda r: ok(lease(sshUser="a;rm -rf ~"), 201))
        self.run_cli("create", code=1)

    def test_keys(self):
        self.serve(lambda r: self.fail("nothing must be sent"))
        path = self.home + "/.ssh/id_ed25519"
        with open(path, "w") as f:
            f.write("-----BEGIN OPENSSH PRIVATE KEY-----\nabcdef\n")
        r = self.run_cli("create", "--ssh-key", path, code=2)
        self.assertIn("PRIVATE key", r.err)
        self.assertNotIn("abcdef", r.err)
        os.unlink(path + ".pub")
        r = self.run_cli("create", code=2)
        self.assertIn("ssh-keygen", r.err)

    def test_usage(self):
        for words in (["--class", "a", "--type", "b"], ["--wait", "--no-wait"], ["--ttl", "5"],
                      ["--wait=x"], ["word"], ["--nope"], ["--ttl"]):
            self.assertTrue(re.search("lessor create --help",
                                      self.run_cli("create", *words, code=2).err), words)


if __name__ == "__main__":
    main()
