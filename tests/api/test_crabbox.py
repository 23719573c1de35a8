#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The exchanges of the crabbox CLI as recorded facts: what it sends and what it needs back.

tests/e2e/crabbox.sh runs the CLI itself where it is available. Here the same exchanges are
table rows, so that a machine without Go checks them too. An exchange that happens once per
session is a test; a variant in one field is a row.
"""

import concurrent.futures
import http.client
import json
import secrets
import subprocess
import time
import unittest

import shapes
from harness import BrokerCase, cli_body, moment, new_attempt, new_id, new_key, until

# The CLI searches error texts for these words; no response may contain one without meaning it.
MISREAD = ("http 404", "http 401", "not_found", "invalid_lease_id", "InvalidInstanceID.NotFound",
           "crabbox_aws_stale_instance_cleaned")
CLI_HEADERS = {"X-Crabbox-Owner": "somebody@else.example", "X-Crabbox-Org": "elsewhere",
               "CF-Access-Client-Id": "x", "CF-Access-Client-Secret": "x", "cf-access-token": "x"}
READINESS = ("/v1/providers/%s/readiness?target=linux&windowsMode=normal&class=beast&serverType="
             "&serverTypeExplicit=false&market=&fallback=&region=")


class Exchanges(BrokerCase):
    """Checks every response against the structs that the CLI decodes it into."""

    def cli(self, who, method, path, body=None, status=200):
        token = getattr(self.broker, who) if who else None
        answer = self.ask(method, path, token, body, dict(CLI_HEADERS))
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/json", answer)
        # The CLI follows no redirects, and an empty body is a decode error.
        self.assertNotIn("location", answer.headers)
        self.assertIs(type(answer.json), dict, answer)
        leases = answer.json.get("leases", []) + [answer.json[k] for k in ("lease",) if
                                                  k in answer.json]
        # An error has only a reference to the lease.
        check = shapes.lease_wrong if status < 400 else shapes.reference_wrong
        for lease in leases:
            self.assertEqual(check(lease), [], lease)
        return answer

    def fails(self, who, method, path, body, status, code):
        answer = self.cli(who, method, path, body, status)
        self.error(answer, status, code)
        shown = answer.body[:600].decode("utf-8")
        for text in MISREAD:
            if text != code:
                self.assertNotIn(text, shown)
        return answer

    def shape(self, answer, spec):
        self.assertEqual(shapes.wrong(answer.json, spec), [], answer)
        return answer.json

    def warmup(self, who="alice", **changes):
        lease = self.cli(who, "POST", "/v1/leases", cli_body(**changes), 201).lease
        self.addCleanup(self.stop, lease, who)
        return lease

    def stop(self, lease, who="alice", **more):
        """GET, then release, as the command does."""
        path = "/v1/leases/" + lease["id"]
        self.assertEqual(self.cli(who, "GET", path).lease["id"], lease["id"])
        return self.cli(who, "POST", path + "/release",
                        dict({"delete": True, "expectedProvider": "hetzner"}, **more)).lease

    def until(self, lease, done):
        def look():
            seen.append(self.cli("alice", "GET", "/v1/leases/" + lease["id"]).lease)
            return seen[-1] if done(seen[-1]) else None
        seen = []
        return until(look, why=lambda: "timed out; last response: %r" % seen[-1])

    def is_clean(self, lease):
        """What `stop` needs in order to print "released" and nothing else."""
        self.assertEqual(lease["state"], "released")
        self.assertEqual(lease["provider"], "hetzner")
        self.assertIsNot(lease.get("releaseDeletesServer"), False)
        for pending in ("cleanupStartedAt", "cleanupError", "cleanupRetryAt"):
            self.assertNotIn(pending, lease)
        self.assertEqual(lease["cleanupStatus"], "complete")


class Doctor(Exchanges):
    def test_login_and_doctor(self):
        health = self.cli(None, "GET", "/v1/health")
        self.assertIs(health.json["ok"], True)
        for who, owner, org, admin in (("alice", "alice@example.com", "acme", False),
                                       ("reader", "rita@example.com", "acme", False),
                                       ("admin", "root@example.com", "ops", True)):
            said = self.shape(self.cli(who, "GET", "/v1/whoami"), shapes.WHOAMI)
            self.assertEqual([said[k] for k in ("owner", "org", "auth", "admin")],
                             [owner, org, "bearer", admin])
        ready = self.shape(self.cli("alice", "GET", READINESS % "hetzner"), shapes.READINESS)
        self.assertEqual((ready["provider"], ready["configured"], ready["missing"]),
                         ("hetzner", True, []))
        self.fails("alice", "GET", READINESS % "aws", None, 400, "invalid_provider")

    def test_x4_whoami_says_when_the_token_ends(self):
        self.assertNotIn("tokenExpiresAt", self.cli("alice", "GET", "/v1/whoami").json)
        token = subprocess.run(
            [self.broker.lessord, "token", "add", "--config", self.broker.home + "/conf", "--owner",
             "eve@example.com", "--org", "acme", "--role", "user", "--expires", "2h"], check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode("ascii").strip()
        said = self.shape(self.ask("GET", "/v1/whoami", token), shapes.WHOAMI)
        self.assertTrue(0 < moment(said["tokenExpiresAt"]) - time.time() <= 7200, said)

    def test_a_token_that_is_none(self):
        for value in ("Bearer nothing", "Bearer cbxu_e30.x", "Basic " + self.broker.alice, "",
                      "Bearer  " + self.broker.alice):
            answer = self.ask("GET", "/v1/whoami", headers={"Authorization": value})
            self.error(answer, 401, "unauthorized")
        for scheme in ("Bearer", "bearer", "BEARER"):
            answer = self.ask("GET", "/v1/whoami",
                              headers={"Authorization": scheme + " " + self.broker.alice})
            self.assertEqual(answer.status, 200, answer)

    def test_x4_x11_features_that_are_not_here_are_missed_at_once(self):
        begin = time.monotonic()
        lease = new_id()
        for method, path, status in (
                ("GET", "/v1/ready-pools", 404), ("GET", "/v1/ready-pools/a%2Fb", 404),
                ("POST", "/v1/ready-pools/a/heartbeat", 404),
                ("POST", "/v1/ready-pools/a/reconcile", 404),
                ("PUT", "/v1/leases/%s/registration" % lease, 404),
                ("POST", "/v1/leases/%s/tailscale" % lease, 404),
                ("POST", "/v1/leases/capability-aware", 404),
                ("POST", "/v1/artifacts/uploads", 404), ("POST", "/v1/runners/sync", 404),
                ("GET", "/v1/marketplace/status", 404), ("POST", "/v1/marketplace/quotes", 404),
                ("POST", "/v1/auth/github/start", 404), ("POST", "/v1/auth/github/poll", 404),
                ("GET", "/v1/images", 404), ("GET", "/v1/admin/hosts", 501),
                ("GET", "/v1/admin/mac-hosts", 501),
                ("GET", "/v1/admin/providers/identity?provider=hetzner", 501),
                ("GET", "/v1/admin/lease-audit?state=active", 404),
                ("POST", "/v1/leases/%s/webvnc/ticket" % lease, 404),
                ("POST", "/v1/leases/%s/egress/ticket" % lease, 404),
                ("POST", "/v1/leases/%s/code/ticket" % lease, 404)):
            # The first command of a newcomer, who has no token, is a sign-in.
            for token in (self.broker.alice, self.broker.admin, None):
                answer = self.ask(method, path, token, None if method == "GET" else {})
                self.error(answer, status, "not_offered")
                self.assertRegex(answer.json["message"], "not offered")
                self.assertEqual("--token-stdin" in answer.json["message"], "/auth/" in path)
        self.assertLess(time.monotonic() - begin, 3.0)

    def test_a_connection_is_kept(self):
        """The client keeps connections for 90 s: none may be closed after a response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.broker.port, timeout=10)
        for path in ("/v1/health", "/v1/whoami", "/v1/leases/none", "/v1/leases?state=active",
                     READINESS % "aws", READINESS % "hetzner"):
            answer = self.ask("GET", path, self.broker.alice, connection=connection)
            self.assertNotEqual(answer.headers.get("connection"), "close", path)
            self.assertIsNotNone(connection.sock, path)
        connection.close()


class Create(Exchanges):
    # An error in a create, and the response to it. `...` omits the field.
    REFUSED = (
        (400, "invalid_lease_id", {"leaseID": "cbx_0123456789AB"}),
        (400, "invalid_lease_id", {"leaseID": "box-1"}),
        (400, "invalid_lease_id", {"leaseID": ...}),
        (400, "invalid_create_attempt_id", {"createAttemptID": "cat_1"}),
        (400, "invalid_slug", {"slug": "x" * 42}),
        (400, "invalid_slug", {"slug": "--"}),
        (400, "reserved_provider_key", {"providerKey": "crabbox-cbx-0123456789ab"}),
        (403, "admin_required", {"providerKey": "my-own-key"}),
        (403, "admin_required", {"hostId": "host-1"}),
        (403, "admin_required", {"hostID": "host-1"}),
        (400, "invalid_provider", {"provider": "aws"}),
        (400, "unsupported_target", {"target": "windows"}),
        (400, "unsupported_architecture", {"architecture": "arm64"}),
        (400, "location_not_allowed", {"location": "ash", "locationExplicit": True}),
        (400, "image_not_allowed", {"image": "somebodys-snapshot", "imageExplicit": True}),
        (400, "invalid_field", {"class": "Not A Class"}),
        (400, "invalid_field", {"sshPublicKey": ...}),
        (400, "invalid_public_key", {"sshPublicKey": "ssh-ed25519 AAAA"}),
        (400, "invalid_field", {"sshUser": "root"}),
        (400, "invalid_field", {"sshUser": "a b"}),
        (400, "invalid_field", {"sshPort": 2222}),
        (400, "invalid_field", {"sshPort": "70000"}),
        (400, "invalid_field", {"sshFallbackPorts": ["ssh"]}),
        (400, "invalid_field", {"workRoot": "/etc"}),
        (400, "invalid_field", {"workRoot": "work"}),
        (400, "invalid_field", {"pond": "A B"}),
        (400, "invalid_field", {"ttlSeconds": "5400"}),
        (400, "invalid_field", {"ttlSeconds": 5400.5}),
        (400, "invalid_field", {"keep": "true"}),
        (400, "unsupported_feature", {"desktop": True}),
        (400, "unsupported_feature", {"browser": True}),
        (400, "unsupported_feature", {"code": True}),
        (400, "unsupported_feature", {"tailscale": True}),
        (400, "unsupported_feature", {"imageRequirements": {"os": "x"}}),
    )
    # Accepted values, and the result.
    TAKEN = (
        ({}, {"sshUser": "crabbox", "sshPort": "2222", "sshFallbackPorts": ["22"],
              "workRoot": "/work/crabbox", "keep": True, "class": "beast", "serverType": "ccx63",
              "requestedServerType": "ccx63", "profile": "default", "target": "linux",
              "ttlSeconds": 5400, "idleTimeoutSeconds": 1800, "provider": "hetzner"}),
        ({"leaseID": ..., "createAttemptID": ..., "providerKey": ...}, {}),
        ({"createAttemptID": ...}, {}),
        ({"sshFallbackPorts": None}, {"sshFallbackPorts": []}),
        ({"sshFallbackPorts": []}, {"sshFallbackPorts": []}),
        ({"sshFallbackPorts": ["22", "22", "2222"]}, {"sshFallbackPorts": ["22"]}),
        ({"sshPort": "22"}, {"sshPort": "22", "sshFallbackPorts": []}),
        ({"ttlSeconds": 0, "idleTimeoutSeconds": -1},
         {"ttlSeconds": 5400, "idleTimeoutSeconds": 1800}),
        ({"ttlSeconds": 10 ** 9, "idleTimeoutSeconds": 86401},
         {"ttlSeconds": 86400, "idleTimeoutSeconds": 86400}),
        ({"class": "cx23", "serverType": "cx23"}, {"class": "cx23", "serverType": "cx23"}),
        ({"serverType": "cpx22", "serverTypeExplicit": True}, {"serverType": "cpx22"}),
        ({"class": "standard", "serverType": "ccx33"}, {"serverType": "ccx33"}),
        ({"slug": "My Box_1"}, {"slug": "my-box-1"}),
        ({"keep": False}, {"keep": False}),
        ({"os": "ubuntu:24.04"}, {}),
        ({"target": ..., "targetOS": "linux"}, {"target": "linux"}),
        ({"slug": ..., "requestedSlug": "other-name"}, {"slug": "other-name"}),
        ({"capacity": {"market": "on-demand", "regions": ["x"], "hints": False}}, {}),
        ({"pond": "team-a", "exposedPorts": ["8080"]}, {"pond": "team-a"}),
    )

    def test_what_is_refused_is_a_4xx_that_names_it(self):
        servers = len(self.broker.servers())
        for status, code, changes in self.REFUSED:
            with self.subTest(code=code, changes=changes):
                self.fails("alice", "POST", "/v1/leases", cli_body(**changes), status, code)
        self.assertEqual(len(self.broker.servers()), servers)

    def test_what_is_no_json_is_a_4xx(self):
        for body in (b"", b"{", b"[]", b"null", b'{"leaseID":"a","leaseID":"b"}', b"\xff"):
            answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
            self.error(answer, 400, "invalid_json")

    def test_what_is_taken(self):
        def life(changes, want):
            body = cli_body(**changes)
            lease = self.cli("alice", "POST", "/v1/leases", body, 201).lease
            if "leaseID" in body:
                self.assertEqual(lease["id"], body["leaseID"])
            self.assertEqual((lease["owner"], lease["org"]), ("alice@example.com", "acme"))
            self.assertEqual({k: lease[k] for k in want}, want)
            self.is_clean(self.stop(lease))

        # In parallel: each takes as long as a machine needs.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for row in [pool.submit(life, *row) for row in self.TAKEN]:
                row.result()

    def test_escapes_are_the_characters_they_stand_for(self):
        """Go escapes some characters that other encoders do not."""
        raw = json.dumps(cli_body(awsProfile="<a&b>")).replace("<", "\\u003c").replace(
            ">", "\\u003e").replace("&", "\\u0026").replace("/", "\\u002f").encode("ascii")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, raw)
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(answer.lease["workRoot"], "/work/crabbox")
        self.is_clean(self.stop(answer.lease))

    def test_the_same_attempt_again(self):
        body = cli_body()
        first = self.cli("alice", "POST", "/v1/leases", body, 201).lease
        again = self.cli("alice", "POST", "/v1/leases", body, 200).lease
        self.assertEqual(again["serverID"], first["serverID"])
        self.fails("alice", "POST", "/v1/leases", dict(body, createAttemptID=new_attempt()), 409,
                   "create_attempt_conflict")
        without = {k: v for k, v in body.items() if k != "createAttemptID"}
        self.fails("alice", "POST", "/v1/leases", without, 409, "lease_id_conflict")
        self.fails("bob", "POST", "/v1/leases", body, 409, "lease_id_conflict")
        self.fails("reader", "POST", "/v1/leases", cli_body(), 403, "forbidden")
        self.is_clean(self.stop(first))
        self.fails("alice", "POST", "/v1/leases", body, 409, "lease_state_changed")

    def test_the_machine_is_known_before_the_first_connection(self):
        one, two = self.warmup(), self.warmup()
        for lease in (one, two):
            # Type and base64 without a comment: the client fails on anything else.
            self.assertRegex(lease["sshHostKey"], "^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5[A-Za-z0-9+/]+$")
            self.assertEqual(self.cli("alice", "GET", "/v1/leases/" + lease["id"])
                             .lease["sshHostKey"], lease["sshHostKey"])
        self.assertNotEqual(one["sshHostKey"], two["sshHostKey"])
        self.assertNotIn("PRIVATE", self.broker.log())

    def test_a_slug_is_its_owners(self):
        mine = self.warmup(slug="shared-name")
        theirs = self.warmup("bob", slug="shared-name")
        second = self.warmup(slug="shared-name")
        self.assertEqual((mine["slug"], theirs["slug"]), ("shared-name", "shared-name"))
        self.assertRegex(second["slug"], "^shared-name-[0-9a-f]{4}$")
        for who, lease in (("alice", mine), ("bob", theirs)):
            self.assertEqual(self.cli(who, "GET", "/v1/leases/shared-name").lease["id"],
                             lease["id"])
        self.fails("admin", "GET", "/v1/leases/shared-name", None, 409, "ambiguous_slug")

    def test_cancel_create(self):
        body = cli_body()
        path = "/v1/leases/%s/cancel-create" % body["leaseID"]
        token = {"createAttemptID": body["createAttemptID"]}
        want = {"version": 1, "requestedLeaseID": body["leaseID"], "state": "canceled",
                "createAttemptID": body["createAttemptID"]}
        for status, code, where, what in (
                (400, "invalid_lease_id", "/v1/leases/box/cancel-create", token),
                (400, "invalid_create_attempt_id", path, {"createAttemptID": "cat_"}),
                (400, "invalid_create_attempt_id", path, {}),
                (400, "invalid_field", path, {"createAttemptID": 1})):
            self.fails("alice", "POST", where, what, status, code)
        lease = self.cli("alice", "POST", "/v1/leases", body, 201).lease
        self.fails("bob", "POST", path, token, 404, "not_found")
        self.fails("alice", "POST", path, {"createAttemptID": new_attempt()}, 409,
                   "create_attempt_conflict")
        for _ in range(2):
            said = self.shape(self.cli("alice", "POST", path, token), shapes.CANCELED)
            self.assertEqual(said["canceledCreate"], want)
        until(lambda: lease["serverID"] not in [s["id"] for s in self.broker.servers()])
        self.fails("alice", "POST", "/v1/leases", body, 409, "create_canceled")

    def test_put_has_its_id_for_a_key(self):
        lease_id = new_id()
        path = "/v1/leases/" + lease_id
        body = cli_body(lease_id, createAttemptID=...)
        self.fails("alice", "PUT", path, dict(body, createAttemptID=new_attempt()), 400,
                   "create_attempt_not_allowed")
        self.fails("alice", "PUT", path, dict(body, leaseID=new_id()), 400, "lease_id_mismatch")
        self.fails("alice", "PUT", "/v1/leases/box", body, 400, "invalid_lease_id")
        first = self.cli("alice", "PUT", path, body, 201).lease
        self.assertEqual(first["id"], lease_id)
        self.assertEqual(self.cli("alice", "PUT", path, body).lease["serverID"],
                         first["serverID"])
        for change in ({"keep": False}, {"slug": "another"}, {"ttlSeconds": 60},
                       {"sshPublicKey": new_key()}, {"class": "tiny"}, {"workRoot": "/work/x"}):
            self.fails("alice", "PUT", path, dict(body, **change), 409, "lease_id_conflict")
        self.fails("bob", "PUT", path, body, 409, "lease_id_conflict")
        self.is_clean(self.stop(first))
        self.fails("alice", "PUT", path, body, 409, "lease_id_conflict")


class Life(Exchanges):
    def test_list_status_inspect_ssh(self):
        lease = self.warmup(slug="violet-prawn")
        listed = self.cli("alice", "GET", "/v1/leases?state=active&limit=1000").json["leases"]
        self.assertIn(lease["id"], [one["id"] for one in listed])
        self.assertEqual({one["provider"] for one in listed}, {"hetzner"})
        self.assertEqual([one["createdAt"] for one in listed],
                         sorted((one["createdAt"] for one in listed), reverse=True))
        # A later client sends this query, and accepts leases whose end it does not know.
        kept = self.warmup(keep=True)
        self.stop(kept, delete=False)
        gone = self.stop(self.warmup(keep=True))
        path = "/v1/leases?limit=1000&provider=hetzner&view=current"
        current = [one["id"] for one in self.cli("alice", "GET", path).json["leases"]]
        self.assertTrue({lease["id"], kept["id"]} <= set(current), current)
        self.assertNotIn(gone["id"], current)
        self.assertNotIn(lease["id"], [
            one["id"] for one in self.cli("bob", "GET", path).json["leases"]])
        self.assertIn(lease["id"], [
            one["id"] for one in self.cli("admin", "GET", path).json["leases"]])
        self.fails("alice", "GET", path.replace("current", "other"), None, 400, "invalid_query")
        for path in (lease["id"], "violet-prawn", "VIOLET-Prawn",
                     "Violet_Prawn",
                     lease["id"] + "?providerMetadata=authoritative"):
            got = self.cli("alice", "GET", "/v1/leases/" + path).lease
            self.assertEqual((got["id"], got["state"]), (lease["id"], "active"))
        # Foreign and missing look the same.
        for who, ref in (("bob", lease["id"]), ("bob", "violet-prawn"), ("alice", new_id()),
                         ("alice", "no-such-slug"), ("alice", "run-0123456789ab")):
            answer = self.fails(who, "GET", "/v1/leases/" + ref, None, 404, "not_found")
            self.assertEqual(answer.json, {"error": "not_found",
                                           "message": f"There is no lease '{ref}' of yours."})

    def test_heartbeat(self):
        lease = self.warmup()
        path = "/v1/leases/%s/heartbeat" % lease["id"]
        for body, idle in ((None, 1800), ({}, 1800), ({"expectedProvider": "hetzner"}, 1800),
                           ({"idleTimeoutSeconds": 2700, "expectedProvider": "hetzner"}, 2700),
                           ({"expectedProvider": "hetzner"}, 2700),
                           ({"idleTimeoutSeconds": 10 ** 6}, 86400),
                           ({"telemetry": {"capturedAt": "2026-08-21T10:00:00Z", "load1": 0.5}},
                            86400)):
            beat = self.cli("alice", "POST", path, body).lease
            self.assertEqual(beat["idleTimeoutSeconds"], idle)
            self.assertEqual((beat["id"], beat["slug"], beat["state"], beat["provider"]),
                             (lease["id"], lease["slug"], "active", "hetzner"))
            self.assertGreaterEqual(beat["lastTouchedAt"], lease["lastTouchedAt"])
        for status, code, who, body in (
                (409, "provider_identity_mismatch", "alice", {"expectedProvider": "aws"}),
                (400, "invalid_expected_provider", "alice", {"expectedProvider": "Not One"}),
                (400, "invalid_field", "alice", {"idleTimeoutSeconds": 0}),
                (400, "invalid_field", "alice", {"idleTimeoutSeconds": "60"}),
                (400, "invalid_field", "alice", {"telemetry": []}),
                (400, "invalid_telemetry", "alice", {"telemetry": {"load1": "1"}}),
                (400, "invalid_telemetry", "alice", {"telemetry": {"load1": 1, "capturedAt": 1}}),
                (404, "not_found", "bob", {}), (403, "forbidden", "reader", {})):
            self.fails(who, "POST", path, body, status, code)
        self.fails("alice", "POST", "/v1/leases/%s/heartbeat" % new_id(), {}, 404, "not_found")
        self.cli("alice", "POST", "/v1/leases/%s/heartbeat" % lease["slug"], {})
        self.is_clean(self.stop(lease))
        self.fails("alice", "POST", path, {}, 409, "lease_ended")

    def test_telemetry_is_kept_as_the_client_decodes_it(self):
        lease = self.warmup()
        path = "/v1/leases/" + lease["id"]
        self.assertNotIn("telemetry", self.cli("alice", "GET", path).lease)
        full = {"capturedAt": "2026-08-21T10:00:00Z", "source": "ssh-linux", "load1": 0.4,
                "load5": 0.3, "load15": 0.25, "cpuCount": 8, "memoryUsedBytes": 1 << 40,
                "memoryTotalBytes": 2000, "memoryPercent": 50, "diskUsedBytes": 1,
                "diskTotalBytes": 2, "diskPercent": 50.5, "uptimeSeconds": 300}
        for sent, kept in (
                (full, full), ({}, None), ({"source": "x"}, None),
                (dict(full, capturedAt="2026-08-21T10:01:00Z", load1=-1, memoryPercent=200,
                      cpuCount=4.0, other="dropped", source="<script>", diskPercent=None),
                 {"load1": 0, "memoryPercent": 100, "cpuCount": 4})):
            self.cli("alice", "POST", path + "/heartbeat",
                     {"expectedProvider": "hetzner", "telemetry": sent})
            if kept:
                last = self.cli("alice", "GET", path).lease["telemetry"]
                self.assertEqual(last["capturedAt"], sent["capturedAt"].replace("Z", ".000Z"))
                self.assertEqual({k: last[k] for k in kept if k != "capturedAt"},
                                 {k: v for k, v in kept.items() if k != "capturedAt"})
        self.assertEqual(set(last) & {"other", "source", "diskPercent"}, set())
        got = self.cli("alice", "GET", path).lease
        self.assertEqual(len(got["telemetryHistory"]), 2)
        self.assertEqual(got["telemetryHistory"][-1], got["telemetry"])
        # It survives a crash of the broker and is deleted with the lease.
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.cli("alice", "GET", path).lease["telemetry"], got["telemetry"])
        self.stop(lease)
        self.assertNotIn("telemetry", self.cli("alice", "GET", path).lease)

    def test_stop_and_stop_again(self):
        lease = self.warmup()
        path = "/v1/leases/%s/release" % lease["id"]
        for status, code, who, body in (
                (409, "provider_identity_mismatch", "alice",
                 {"delete": True, "expectedProvider": "aws"}),
                (400, "invalid_field", "alice", {"delete": "yes"}),
                (400, "invalid_json", "alice", b'{"delete":'),
                (404, "not_found", "bob", {"delete": True}),
                (403, "forbidden", "reader", {"delete": True})):
            self.fails(who, "POST", path, body, status, code)
        self.assertEqual(self.cli("alice", "GET", "/v1/leases/" + lease["id"]).lease["state"],
                         "active")
        begin = time.monotonic()
        first = self.stop(lease)
        self.assertLess(time.monotonic() - begin, 20)
        self.is_clean(first)
        self.assertNotIn(lease["serverID"], [s["id"] for s in self.broker.servers()])
        begin = time.monotonic()
        again = self.stop(lease)
        self.assertLess(time.monotonic() - begin, 2)
        self.is_clean(again)
        self.assertEqual((again["endedAt"], again["updatedAt"]),
                         (first["endedAt"], first["updatedAt"]))
        again = self.cli("alice", "POST", "/v1/leases/%s/release" % lease["slug"],
                         {"delete": True}).lease
        self.assertEqual((again["id"], again["updatedAt"]), (lease["id"], first["updatedAt"]))
        self.fails("bob", "POST", "/v1/leases/%s/release" % lease["slug"], {"delete": True},
                   404, "not_found")

    def test_no_delete_and_the_default(self):
        kept = self.warmup(keep=True)
        # Without "delete", the lease's own `keep` decides: kept.
        lease = self.cli("alice", "POST", "/v1/leases/%s/release" % kept["id"], {}).lease
        self.assertEqual((lease["state"], lease["releaseDeletesServer"], lease["cleanupStatus"]),
                         ("released", False, "retained"))
        self.assertEqual(lease["host"], kept["host"])
        self.assertIn(kept["serverID"], [s["id"] for s in self.broker.servers()])
        self.is_clean(self.stop(kept))
        passing = self.warmup(keep=False)
        lease = self.cli("alice", "POST", "/v1/leases/%s/release" % passing["id"]).lease
        self.is_clean(lease)
        self.assertNotIn(passing["serverID"], [s["id"] for s in self.broker.servers()])

    def test_what_ended_by_itself_can_be_stopped(self):
        lease = self.cli("alice", "POST", "/v1/leases", cli_body(ttlSeconds=1), 201).lease
        path = "/v1/leases/" + lease["id"]
        got = self.until(lease, lambda got: got["state"] == "expired" and
                         got["cleanup"]["state"] == "done")
        self.assertEqual(got["expiresAt"], lease["expiresAt"])
        self.assertIn(self.ask("POST", path + "/heartbeat", self.broker.alice, {}).error,
                      ("lease_expired", "lease_ended"))
        self.is_clean(self.stop(lease))
        self.broker.fault("s.create", "invalid_input")
        self.addCleanup(self.broker.no_faults)
        answer = self.ask("POST", "/v1/leases", self.broker.alice,
                          cli_body(serverType="ccx33", serverTypeExplicit=True))
        self.broker.no_faults()
        self.assertEqual(answer.status, 422, answer)
        self.assertEqual(shapes.reference_wrong(answer.lease), [])
        self.is_clean(self.stop(answer.lease))

    def test_usage(self):
        self.warmup()
        month = time.strftime("%Y-%m", time.gmtime())
        for who, scope in (("alice", "user"), ("alice", "all"), ("admin", "all"),
                           ("admin", "org"), ("admin", "user")):
            query = "/v1/usage?scope=%s&month=%s" % (scope, month)
            if who == "admin" and scope != "all":
                query += "&owner=alice%40example.com&org=acme"
            said = self.shape(self.cli(who, "GET", query), shapes.USAGE)
            self.assertGreaterEqual(said["usage"]["activeLeases"], 1)
            self.assertEqual(said["usage"]["month"], month)
            self.assertEqual(said["usage"]["scope"], "user" if who == "alice" else scope)
            if who == "alice":
                self.assertEqual([g["key"] for g in said["usage"]["byOwner"]],
                                 ["alice@example.com"])
        for who, least in (("alice", 1), ("bob", 0), ("admin", 0)):
            said = self.shape(self.cli(who, "GET", "/v1/capacity"), shapes.CAPACITY)
            self.assertLessEqual(set(shapes.CAPACITY), set(said))
            self.assertGreaterEqual(said["activeLeases"], least)
            self.assertGreaterEqual(said["effectiveLimit"], 0)
            self.assertTrue(said["owner"] and said["observedAt"].endswith("Z"), said)


class Share(Exchanges):
    def share(self, who, lease, body, method="PUT", status=200):
        answer = self.cli(who, method, "/v1/leases/%s/share" % lease["id"], body, status)
        self.assertEqual(shapes.wrong(answer.json, {"leaseID": str, "share": shapes.SHARE}), [])
        self.assertEqual(answer.json["leaseID"], lease["id"])
        return answer.json["share"]

    def test_what_a_share_opens(self):
        lease = self.warmup(slug="to-be-shared")
        path = "/v1/leases/" + lease["id"]
        self.assertEqual(self.share("alice", lease, None, "GET"), {"users": {}})
        self.fails("bob", "GET", path + "/share", None, 404, "not_found")
        # "use": may read the lease, nothing else.
        share = self.share("alice", lease, {"users": {" Bob@Example.com ": "use"}})
        self.assertEqual((share["users"], share["updatedBy"]),
                         ({"bob@example.com": "use"}, "alice@example.com"))
        for ref in (lease["id"], "to-be-shared"):
            got = self.cli("bob", "GET", "/v1/leases/" + ref).lease
            self.assertEqual(got["owner"], "alice@example.com")
            self.assertNotIn("share", got)
        self.assertIn(lease["id"], [l["id"] for l in self.cli(
            "bob", "GET", "/v1/leases?state=active&limit=1000").json["leases"]])
        for method, tail, body in (("POST", "/heartbeat", {}), ("GET", "/share", None),
                                   ("POST", "/release", {"delete": True}),
                                   ("PUT", "/share", {"users": {}}), ("DELETE", "/share", {})):
            self.fails("bob", method, path + tail, body, 403, "forbidden")
        self.assertEqual(self.cli("alice", "GET", path).lease["share"], share)
        # "manage".
        self.share("alice", lease, {"users": {"bob@example.com": "manage"}, "org": "use"})
        self.cli("bob", "POST", path + "/heartbeat", {"expectedProvider": "hetzner"})
        self.assertEqual(self.share("bob", lease, None, "GET")["org"], "use")
        self.assertIn("share", self.cli("bob", "GET", path).lease)
        # The cost is still counted for the owner.
        usage = self.cli("bob", "GET", "/v1/usage?scope=user").json["usage"]
        self.assertEqual(usage["leases"], 0)
        self.assertEqual(self.share("bob", lease, {"org": True}, "DELETE")["users"],
                         {"bob@example.com": "manage"})
        self.assertEqual(self.share("admin", lease, {"user": "bob@example.com"}, "DELETE")
                         ["users"], {})
        self.fails("bob", "GET", path, None, 404, "not_found")
        self.share("alice", lease, {"users": {}, "org": "manage"})
        self.is_clean(self.stop(lease, "bob"))
        self.assertEqual(self.share("alice", lease, {}, "DELETE")["users"], {})

    def test_what_is_no_share(self):
        lease = self.warmup()
        path = "/v1/leases/%s/share" % lease["id"]
        for code, body in (("invalid_share", {"users": {"bob": "own"}}),
                           ("invalid_share", {"users": {"bob": 1}}),
                           ("invalid_share", {"users": {"b b": "use"}}),
                           ("invalid_share", {"users": {"bob": "use", "BOB": "manage"}}),
                           ("invalid_share", {"users": {"u%d" % i: "use" for i in range(65)}}),
                           ("invalid_share", {"org": True}), ("invalid_field", {"users": []}),
                           ("invalid_field", {"share": "all"})):
            self.fails("alice", "PUT", path, body, 400, code)
        for code, body in (("invalid_field", {"user": 1}), ("invalid_share", {"user": "b b"}),
                           ("invalid_field", {"org": "use"})):
            self.fails("alice", "DELETE", path, body, 400, code)
        self.fails("reader", "GET", path, None, 403, "forbidden")
        self.fails("alice", "GET", "/v1/leases/%s/share" % new_id(), None, 404, "not_found")


class Admin(Exchanges):
    def test_admin_release_asks_for_the_lease_with_the_admin_token(self):
        lease = self.warmup()
        self.assertEqual(self.cli("admin", "GET", "/v1/leases/" + lease["id"]).lease["owner"],
                         "alice@example.com")
        path = "/v1/admin/leases/%s/release" % lease["id"]
        for who in ("alice", "reader"):
            answer = self.fails(who, "POST", path, {"delete": True}, 403, "forbidden")
            self.assertEqual(answer.json["message"], "admin token required")
        self.fails("admin", "POST", path, {"delete": True, "expectedProvider": "aws"}, 409,
                   "provider_identity_mismatch")
        kept = self.cli("admin", "POST", path, {"delete": False,
                                                "expectedProvider": "hetzner"}).lease
        self.assertEqual((kept["state"], kept["releaseDeletesServer"]), ("released", False))
        gone = self.cli("admin", "POST", path, {"delete": True,
                                                "expectedProvider": "hetzner"}).lease
        self.is_clean(gone)

    def test_admin_delete(self):
        lease = self.warmup(keep=True)
        path = "/v1/admin/leases/%s/delete" % lease["id"]
        self.fails("alice", "POST", path, {}, 403, "forbidden")
        self.is_clean(self.cli("admin", "POST", path, {}).lease)
        self.assertNotIn(lease["serverID"], [s["id"] for s in self.broker.servers()])
        self.is_clean(self.cli("admin", "POST", path, {}).lease)
        self.fails("admin", "POST", "/v1/admin/leases/%s/delete" % new_id(), {}, 404, "not_found")

    def test_the_pool_is_what_is_really_there(self):
        mine = self.warmup(slug="in-the-pool")
        labels = [s["labels"] for s in self.broker.servers() if s["id"] == mine["serverID"]][0]
        # A stranger's server, and a copy of ours whose signature is for another name.
        self.broker.sim("POST", "/_sim/human", {"verb": "create", "name": "a-strangers"})
        self.broker.sim("POST", "/_sim/human", {"verb": "create", "name": "a-copy",
                                                "labels": labels})
        said = self.shape(self.cli("admin", "GET", "/v1/pool?provider=hetzner"), shapes.POOL)
        there = {m["name"]: m for m in said["machines"]}
        self.assertNotIn("a-strangers", there)
        self.assertNotIn("lease", there["a-copy"]["labels"])
        self.assertEqual(there["a-copy"]["serverType"], "cx23")
        there = {m["cloudID"]: m for m in said["machines"]}
        machine = there[mine["cloudID"]]
        self.assertEqual({k: machine[k] for k in ("provider", "name", "serverType", "host",
                                                  "status")},
                         {"provider": "hetzner", "name": mine["serverName"], "status": "running",
                          "serverType": mine["serverType"], "host": mine["host"]})
        for key, want in (("lease", mine["id"]), ("slug", "in-the-pool"), ("keep", "true"),
                          ("target", "linux"), ("crabbox", "true"), ("state", "active")):
            self.assertEqual(machine["labels"][key], want)
        self.cli("admin", "GET", "/v1/pool")
        for status, code, who, query in ((400, "invalid_provider", "admin", "?provider=aws"),
                                         (403, "forbidden", "alice", "?provider=hetzner"),
                                         (403, "forbidden", "reader", "?provider=hetzner"),
                                         (401, "unauthorized", None, "?provider=hetzner")):
            self.fails(who, "GET", "/v1/pool" + query, None, status, code)

    def test_admin_leases(self):
        mine, theirs = self.warmup(), self.warmup("bob")
        for query, want in (("state=active&limit=1000", {mine["id"], theirs["id"]}),
                            ("owner=bob%40example.com&limit=100", {theirs["id"]}),
                            ("owner=bob%40example.com&org=acme&state=active", {theirs["id"]}),
                            ("org=acme", {mine["id"], theirs["id"]}), ("org=ops", set())):
            leases = self.cli("admin", "GET", "/v1/admin/leases?" + query).json["leases"]
            self.assertEqual({l["id"] for l in leases} & {mine["id"], theirs["id"]}, want, query)
        for who in ("alice", "reader"):
            self.fails(who, "GET", "/v1/admin/leases?limit=100", None, 403, "forbidden")


class NotYet(Exchanges):
    """The machine takes longer than the response waits: the client polls."""

    options = {"create_wait": "0s", "release_wait": "0s"}

    def test_provisioning_is_not_listed_and_becomes_active(self):
        lease = self.cli("alice", "POST", "/v1/leases", cli_body(), 201).lease
        self.assertEqual((lease["state"], lease["serverID"], lease["cloudID"]),
                         ("provisioning", 0, ""))
        self.until(lease, lambda got: got["state"] == "active" and got["host"])
        pending = self.stop(lease)
        self.assertEqual((pending["state"], pending["cleanupStatus"]), ("released", "pending"))
        self.is_clean(self.until(lease, lambda got: "cleanupStartedAt" not in got))

    def test_put_says_202_until_it_is_there(self):
        lease_id = new_id()
        body = cli_body(lease_id, createAttemptID=...)
        path = "/v1/leases/" + lease_id
        lease = self.cli("alice", "PUT", path, body, 201).lease
        again = self.ask("PUT", path, self.broker.alice, body)
        self.assertEqual(again.status, 202 if again.lease["state"] == "provisioning" else 200)
        self.until(lease, lambda got: got["state"] == "active")
        self.cli("alice", "PUT", path, body, 200)
        self.stop(lease)
        self.is_clean(self.until(lease, lambda got: "cleanupStartedAt" not in got))

    def test_ctrl_c_while_it_is_made(self):
        body = cli_body()
        lease = self.cli("alice", "POST", "/v1/leases", body, 201).lease
        self.cli("alice", "POST", "/v1/leases/%s/cancel-create" % lease["id"],
                 {"createAttemptID": body["createAttemptID"]})
        got = self.until(lease, lambda got: got["cleanup"]["state"] == "done")
        self.is_clean(got)
        self.assertEqual([s for s in self.broker.servers() if s["lease"] == lease["id"]], [])
        self.fails("alice", "POST", "/v1/leases", body, 409, "create_canceled")

    def test_x2_a_create_that_fails_as_later_clients_see_it(self):
        """They send `Prefer: respond-async`, poll the lease, and cancel what has failed."""
        self.broker.fault("s.create", "error", status=412, code="resource_unavailable",
                          message="sold out")
        body = cli_body(image="ubuntu-26.04")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body,
                          dict(CLI_HEADERS, Prefer="respond-async"))
        self.assertEqual((answer.status, answer.lease["state"]), (201, "provisioning"), answer)
        got = self.until(answer.lease, lambda got: got["state"] != "provisioning")
        self.broker.no_faults()
        self.assertEqual((got["state"], got["host"]), ("failed", ""))
        self.assertTrue(got["failureError"])
        said = self.cli("alice", "POST", "/v1/leases/%s/cancel-create" % got["id"],
                        {"createAttemptID": body["createAttemptID"]})
        self.assertEqual(self.shape(said, shapes.CANCELED)["canceledCreate"]["state"], "canceled")

    def test_x11_a_run_is_admitted_as_later_clients_check_it(self):
        """The reply to the PUT must be a run that has not begun, with that id and command."""
        run_id = "run_" + secrets.token_hex(16)
        body = {"leaseID": "", "provider": "hetzner", "target": "linux", "windowsMode": "normal",
                "class": "beast", "serverType": "ccx63", "command": ["sh", "-c", "true"]}
        for status in (201, 200):
            run = self.cli("alice", "PUT", "/v1/runs/" + run_id, body, status).json["run"]
            self.assertEqual([run[k] for k in ("id", "state", "phase", "command")],
                             [run_id, "running", "starting", body["command"]])
        # An event with an id of its own, as sent where the run says that repeating is safe.
        event = self.cli("alice", "POST", "/v1/runs/%s/events" % run_id,
                         {"id": secrets.token_hex(16), "type": "lease.created"}, 201).json["event"]
        self.assertEqual(event["seq"], 2)
        self.assertNotIn("eventAppendIdempotent", run)


if __name__ == "__main__":
    unittest.main()
