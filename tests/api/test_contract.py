#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The contract of the crabbox CLI, exchange by exchange, against a real broker."""

import json
import re
import subprocess
import threading
import time
import unittest

from harness import BrokerCase, cli_body, moment, new_attempt, new_id, until

# The fields of the CLI's lease struct that the broker sends, with the types that the CLI decodes.
TYPES = {
    "id": str, "slug": str, "provider": str, "state": str, "host": str, "sshUser": str,
    "sshPort": str, "sshFallbackPorts": list, "workRoot": str, "target": str, "serverID": int,
    "cloudID": str, "serverName": str, "serverType": str, "requestedServerType": str,
    "class": str, "profile": str, "keep": bool, "owner": str, "org": str, "ttlSeconds": int,
    "idleTimeoutSeconds": int, "createdAt": str, "updatedAt": str, "lastTouchedAt": str,
    "expiresAt": str, "desktop": bool, "browser": bool, "code": bool,
}
OPTIONAL = {
    "provisioningAttempts": list, "releaseDeletesServer": bool, "cleanupStartedAt": str,
    "cleanupError": str, "cleanupRetryAt": str, "cleanupAttempts": int, "failureError": str,
    "pond": str, "region": str, "image": dict, "telemetry": dict, "share": dict,
    "exposedPorts": list, "hostId": str, "hostID": str, "market": str, "tailscale": dict,
}


class Doctor(BrokerCase):
    def test_doctor_asks_in_this_order(self):
        health = self.ask("GET", "/v1/health")
        self.assertEqual(health.status, 200)
        self.assertIs(health.json["ok"], True)
        self.assertNotIn("version", health.body.decode())
        who = self.ask("GET", "/v1/whoami", self.broker.alice)
        self.assertEqual(who.json["owner"], "alice@example.com")
        self.assertEqual(who.json["org"], "acme")
        self.assertEqual(who.json["auth"], "bearer")
        self.assertIs(who.json["admin"], False)
        self.assertIs(self.ask("GET", "/v1/whoami", self.broker.admin).json["admin"], True)
        ready = self.ask("GET", "/v1/providers/hetzner/readiness?target=linux&windowsMode=normal&"
                         "class=beast&serverType=ccx63&serverTypeExplicit=false&market=&fallback=&"
                         "region=", self.broker.alice)
        self.assertEqual(ready.status, 200, ready)
        self.assertEqual(ready.json["provider"], "hetzner")
        self.assertIs(ready.json["configured"], True)
        self.assertEqual(ready.json["missing"], [])
        for check in ready.json["checks"]:
            self.assertIsInstance(check["message"], str)
        self.error(self.ask("GET", "/v1/providers/aws/readiness", self.broker.alice), 400,
                   "invalid_provider")

    def test_a_bad_token_is_a_401_with_a_challenge(self):
        for token in (None, "lsr_0000000000000000_" + "A" * 43):
            answer = self.ask("GET", "/v1/whoami", token)
            self.error(answer, 401, "unauthorized")
            self.assertEqual(answer.headers["www-authenticate"], "Bearer")

    def test_what_is_not_here_says_so_at_once(self):
        begin = time.monotonic()
        for path in ("/v1/controls", "/v1/ready-pool", "/v1/admin", "/v1/leases/a/b/c"):
            answer = self.ask("GET", path, self.broker.alice)
            self.assertEqual(answer.status, 404, answer)
            self.assertEqual(answer.json, {"error": "not_found", "message": "Not found."})
        for path, status in (("/v1/ready-pools", 404), ("/v1/admin/hosts", 501),
                             ("/portal/leases/cbx_1", 404)):
            self.error(self.ask("GET", path, self.broker.alice), status, "not_offered")
        for path in ("/v1/runners/sync", "/v1/auth/github/start", "/v1/artifacts/uploads"):
            answer = self.ask("POST", path, self.broker.alice, {"leaseID": ""})
            self.error(answer, 404, "not_offered")
        self.assertLess(time.monotonic() - begin, 1.0)

    def test_answers_carry_no_cors_and_are_not_cached(self):
        answer = self.ask("GET", "/v1/whoami", self.broker.alice)
        self.assertEqual(answer.headers["cache-control"], "no-store")
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertFalse([k for k in answer.headers if k.startswith("access-control")])
        head = self.ask("HEAD", "/v1/whoami", self.broker.alice)
        self.assertEqual(head.status, 200)
        self.assertEqual(head.body, b"")
        self.assertEqual(head.headers["content-length"], answer.headers["content-length"])

    def test_the_openapi_file_is_served(self):
        answer = self.ask("GET", "/v1/openapi.json", self.broker.reader)
        self.assertEqual(answer.status, 200)
        self.assertIn("/v1/leases/{lease}/heartbeat", answer.json["paths"])


class Life(BrokerCase):
    def check_types(self, lease):
        for key, kind in TYPES.items():
            self.assertIs(type(lease[key]), kind, key)
        for key, kind in OPTIONAL.items():
            if key in lease:
                self.assertIs(type(lease[key]), kind, key)

    def test_warmup_list_status_heartbeat_stop(self):
        body = cli_body(slug="violet-prawn")
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.assertEqual(answer.status, 201, answer)
        lease = answer.lease
        self.check_types(lease)
        self.assertEqual(lease["id"], body["leaseID"])
        self.assertEqual(lease["slug"], "violet-prawn")
        self.assertEqual(lease["provider"], "hetzner")
        self.assertEqual(lease["state"], "active")
        self.assertTrue(lease["host"])
        self.assertEqual(lease["cloudID"], str(lease["serverID"]))
        self.assertGreater(lease["serverID"], 0)
        self.assertEqual(lease["sshPort"], "2222")
        self.assertEqual(lease["sshFallbackPorts"], ["22"])
        self.assertEqual(lease["serverType"], "ccx63")
        for unset in ("releaseDeletesServer", "cleanupStartedAt", "cleanupError",
                      "cleanupRetryAt", "failureError"):
            self.assertNotIn(unset, lease)

        listed = self.ask("GET", "/v1/leases?state=active&limit=1000", self.broker.alice)
        self.assertIn(lease["id"], [one["id"] for one in listed.json["leases"]])
        for one in listed.json["leases"]:
            self.check_types(one)
            self.assertEqual(one["provider"], "hetzner")
        for ref in (lease["id"], "violet-prawn", "Violet-Prawn"):
            got = self.ask("GET", "/v1/leases/%s?providerMetadata=authoritative" % ref,
                           self.broker.alice)
            self.assertEqual(got.lease["id"], lease["id"])
            self.check_types(got.lease)

        def later():
            """Sends a heartbeat in a later millisecond than the create."""
            beat = self.ask("POST", "/v1/leases/violet-prawn/heartbeat", self.broker.alice, {
                "expectedProvider": "hetzner", "telemetry": {
                    "capturedAt": "2026-08-21T10:00:00Z", "source": "ssh-linux", "load1": 0.4,
                    "cpuCount": 8, "memoryUsedBytes": 1000, "memoryPercent": 50}})
            self.assertEqual(beat.status, 200, beat)
            self.check_types(beat.lease)
            touched, before = beat.lease["lastTouchedAt"], lease["lastTouchedAt"]
            self.assertGreaterEqual(moment(touched), moment(before))
            return beat if touched != before else None
        beat = until(later)
        self.assertEqual(beat.lease["idleTimeoutSeconds"], 1800)
        beat = self.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"], self.broker.alice,
                        {"idleTimeoutSeconds": 2700, "expectedProvider": "hetzner"})
        self.assertEqual(beat.lease["idleTimeoutSeconds"], 2700)
        self.assertAlmostEqual(moment(beat.lease["expiresAt"]),
                               moment(beat.lease["lastTouchedAt"]) + 2700, places=2)

        stopped = self.release(lease, delete=True, expectedProvider="hetzner")
        self.check_types(stopped)
        self.assertEqual(stopped["state"], "released")
        self.assertIs(stopped["releaseDeletesServer"], True)
        for unset in ("cleanupStartedAt", "cleanupError", "cleanupRetryAt"):
            self.assertNotIn(unset, stopped)
        self.assertNotIn(lease["serverID"], [s["id"] for s in self.broker.servers()])
        again = self.release(lease)
        self.assertEqual(again["endedAt"], stopped["endedAt"])
        self.assertEqual(again["state"], "released")
        self.assertEqual(self.ask("GET", "/v1/leases/violet-prawn", self.broker.alice).lease["id"],
                         lease["id"])
        self.assertEqual(self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice)
                         .lease["state"], "released")
        self.error(self.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"], self.broker.alice,
                            {}), 409, "lease_ended")

    def test_the_same_attempt_is_one_lease_however_often_it_comes(self):
        body = cli_body()
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(
            self.ask("POST", "/v1/leases", self.broker.alice, body))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(a.status for a in answers), [200] * 7 + [201])
        self.assertEqual({a.lease["serverID"] for a in answers},
                         {answers[0].lease["serverID"]})
        labels = [s["labels"].get("lessor-lease") for s in self.broker.servers()]
        self.assertEqual(labels.count(body["leaseID"]), 1)
        other = dict(body, createAttemptID=new_attempt())
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, other), 409,
                   "create_attempt_conflict")
        self.error(self.ask("POST", "/v1/leases", self.broker.bob, body), 409,
                   "lease_id_conflict")
        self.release(answers[0].lease)
        ended = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.error(ended, 409, "lease_state_changed")
        self.assertEqual(ended.lease["state"], "released")

    def test_cancel_create(self):
        body = cli_body()
        path = "/v1/leases/%s/cancel-create" % body["leaseID"]
        token = {"createAttemptID": body["createAttemptID"]}
        want = {"version": 1, "requestedLeaseID": body["leaseID"],
                "createAttemptID": body["createAttemptID"], "state": "canceled"}
        for _ in range(2):
            answer = self.ask("POST", path, self.broker.alice, token)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json["canceledCreate"], want)
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, body), 409,
                   "create_canceled")
        lease = self.create()
        self.error(self.ask("POST", "/v1/leases/%s/cancel-create" % lease["id"],
                            self.broker.alice, token), 409, "create_attempt_conflict")
        self.error(self.ask("POST", "/v1/leases/%s/cancel-create" % lease["id"],
                            self.broker.bob, token), 404, "not_found")
        self.release(lease)

    def test_no_delete_keeps_until_an_explicit_delete(self):
        lease = self.create()
        kept = self.release(lease, delete=False)
        self.assertEqual(kept["state"], "released")
        self.assertIs(kept["releaseDeletesServer"], False)
        self.assertNotIn("cleanupStartedAt", kept)
        self.assertEqual(kept["cleanup"]["state"], "retained")
        self.assertIn("server", [r["kind"] for r in kept["cleanup"]["residue"]])
        # An empty release changes nothing: by default a retained lease stays retained.
        answer = self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice)
        self.assertIs(answer.lease["releaseDeletesServer"], False)
        self.assertIn(lease["serverID"], [s["id"] for s in self.broker.servers()])
        gone = self.release(lease, delete=True)
        self.assertIs(gone["releaseDeletesServer"], True)
        self.assertNotIn(lease["serverID"], [s["id"] for s in self.broker.servers()])

    def test_put_is_idempotent_by_its_path(self):
        lease_id = new_id()
        body = cli_body(lease_id, createAttemptID=...)
        first = self.ask("PUT", "/v1/leases/" + lease_id, self.broker.alice, body)
        self.assertEqual(first.status, 201, first)
        again = self.ask("PUT", "/v1/leases/" + lease_id, self.broker.alice, body)
        self.assertEqual(again.status, 200, again)
        self.assertEqual(again.lease["serverID"], first.lease["serverID"])
        self.error(self.ask("PUT", "/v1/leases/" + lease_id, self.broker.alice,
                            dict(body, keep=False)), 409, "lease_id_conflict")
        self.release(first.lease)

    def test_idempotency_key(self):
        body = cli_body(leaseID=..., createAttemptID=..., slug=..., providerKey=...)
        key = {"Idempotency-Key": "job-" + new_id()[4:]}
        first = self.ask("POST", "/v1/leases", self.broker.alice, body, key)
        self.assertEqual(first.status, 201, first)
        again = self.ask("POST", "/v1/leases", self.broker.alice, body, key)
        self.assertEqual((again.status, again.lease["id"]), (200, first.lease["id"]))
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, dict(body, keep=False), key),
                   409, "idempotency_key_reused")
        self.release(first.lease)

    def test_a_definite_refusal_is_no_5xx(self):
        self.broker.fault("s.create", "invalid_input")
        self.addCleanup(self.broker.no_faults)
        answer = self.ask("POST", "/v1/leases", self.broker.alice,
                          cli_body(serverType="ccx33", serverTypeExplicit=True))
        self.error(answer, 422, "provisioning_failed")
        self.assertEqual(answer.lease["state"], "failed")
        self.assertIsInstance(answer.json["provisioningAttempts"], list)

    def test_events_and_residue(self):
        lease = self.create()
        events = self.ask("GET", "/v1/leases/%s/events" % lease["id"], self.broker.alice)
        kinds = [e["type"] for e in events.json["events"]]
        self.assertIn("lease.created", kinds)
        self.assertIn("lease.ready", kinds)
        seqs = [e["seq"] for e in events.json["events"]]
        self.assertEqual(seqs, sorted(seqs))
        rows = self.ask("GET", "/v1/leases/%s/residue" % lease["id"], self.broker.alice).json
        self.assertEqual(rows["residue"], len([r for r in rows["resources"] if r["residue"]]))
        self.release(lease)
        rows = self.ask("GET", "/v1/leases/%s/residue" % lease["id"], self.broker.alice).json
        self.assertEqual(rows["residue"], 0)
        self.assertTrue(all(r["state"] == "gone" for r in rows["resources"] if r["ours"]))
        # The address came with the server; lessord does not delete it.
        self.assertEqual([r["kind"] for r in rows["resources"] if not r["ours"]], ["address"])

    def test_foreign_and_missing_look_the_same(self):
        lease = self.create()
        missing = new_id()
        for method, tail, body in (("GET", "", None), ("GET", "/events", None),
                                   ("GET", "/residue", None), ("POST", "/heartbeat", {}),
                                   ("POST", "/release", {"delete": True})):
            answers = [self.ask(method, "/v1/leases/" + ref + tail, self.broker.bob, body)
                       for ref in (lease["id"], missing, lease["slug"])]
            for answer, ref in zip(answers, (lease["id"], missing, lease["slug"])):
                self.assertEqual(answer.status, 404)
                # The message repeats what was asked for, and says nothing else.
                self.assertEqual(answer.body.replace(ref.encode(), b"*"),
                                 answers[0].body.replace(lease["id"].encode(), b"*"))
                self.assertEqual(set(answer.headers), set(answers[0].headers))
        self.assertEqual(self.ask("GET", "/v1/leases/" + lease["id"], self.broker.reader).status,
                         200)
        self.error(self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.reader,
                            {}), 403, "forbidden")
        self.error(self.ask("GET", "/v1/admin/leases", self.broker.alice), 403, "forbidden")
        answer = self.ask("POST", "/v1/admin/leases/%s/release" % lease["id"], self.broker.admin,
                          {"delete": True, "expectedProvider": "hetzner"})
        self.assertEqual(answer.lease["state"], "released")

    def test_usage_has_the_contracts_shape(self):
        lease = self.create()
        month = time.strftime("%Y-%m", time.gmtime())
        answer = self.ask("GET", "/v1/usage?scope=user&month=" + month, self.broker.alice)
        usage = answer.json["usage"]
        for key in ("leases", "activeLeases", "runtimeSeconds"):
            self.assertIs(type(usage[key]), int)
        for key in ("estimatedUSD", "reservedUSD"):
            self.assertIn(type(usage[key]), (int, float))
        self.assertEqual(usage["month"], month)
        self.assertGreaterEqual(usage["activeLeases"], 1)
        self.assertEqual([g["key"] for g in usage["byOwner"]], ["alice@example.com"])
        for key in ("maxActiveLeases", "maxActiveLeasesPerOwner", "maxActiveLeasesPerOrg",
                    "maxActiveLeasesPerCapacityAdmin"):
            self.assertIs(type(answer.json["limits"][key]), int)
        self.assertEqual(answer.json["limits"]["capacityAdminOwners"], [])
        self.release(lease)

    def test_metrics(self):
        answer = self.ask("GET", "/v1/metrics", self.broker.reader)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        names = set()
        for line in answer.body.decode("utf-8").splitlines():
            if line.startswith("# TYPE"):
                self.assertNotIn(line.split()[2], names)
                names.add(line.split()[2])
            elif not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                float(value)
                family = re.sub("_(bucket|sum|count)$", "", name.split("{")[0])
                self.assertTrue(family in names or name.split("{")[0] in names, name)
        self.assertIn("lessor_lease_ready_duration_seconds", names)
        self.assertIn("process_resident_memory_bytes", names)
        self.assertIn("lessor_http_requests_total", names)
        self.assertIn("lessor_account_calls_total", names)


    def promtool(self, text):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8")

    def test_prometheus_accepts_the_metrics(self):
        self.release(self.create())
        answer = self.ask("GET", "/metrics", self.broker.reader)
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.promtool(answer.body), (0, ""))
        for bad in (b"# TYPE lessor_x counter\nlessor_x 1\n", b"lessor_y{a=1} 2\n",
                    b"# HELP lessor_z_milliseconds Z.\n# TYPE lessor_z_milliseconds gauge\n"
                    b"lessor_z_milliseconds 1\n"):
            self.assertNotEqual(self.promtool(answer.body + bad)[0], 0, bad)


class NoWait(BrokerCase):
    """Responses without waiting: the asynchronous half of the contract."""

    options = {"create_wait": "0s", "release_wait": "0s"}

    def wait(self, lease_id, condition):
        def look():
            answer = self.ask("GET", "/v1/leases/" + lease_id, self.broker.alice)
            self.assertEqual(answer.status, 200, answer)
            self.assertFalse(answer.lease["state"] == "active" and not answer.lease["host"])
            seen.append(answer.lease)
            return answer.lease if condition(answer.lease) else None
        seen = []
        # Resolving what a crash left unknown needs two observations: 10 s apart for a create, 60 s
# for a delete.
        return until(look, 150, lambda: "timed out; last response: %r" % seen[-1])

    def test_provisioning_then_active_then_pending_then_clean(self):
        lease = self.create()
        self.assertEqual(lease["state"], "provisioning")
        self.assertEqual(lease["serverID"], 0)
        lease = self.wait(lease["id"], lambda l: l["state"] == "active")
        stopped = self.release(lease)
        self.assertEqual(stopped["state"], "released")
        self.assertIn("cleanupStartedAt", stopped)
        self.assertNotIn("cleanupError", stopped)
        clean = self.wait(lease["id"], lambda l: "cleanupStartedAt" not in l)
        self.assertEqual((clean["state"], clean["provider"]), ("released", "hetzner"))
        self.assertIs(clean["releaseDeletesServer"], True)

    def test_prefer_wait(self):
        answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body(),
                          {"Prefer": "wait=30"})
        self.assertEqual((answer.status, answer.lease["state"]), (201, "active"), answer)
        answer = self.ask("POST", "/v1/leases/%s/release" % answer.lease["id"],
                          self.broker.alice, {"delete": True}, {"Prefer": "wait=30"})
        self.assertNotIn("cleanupStartedAt", answer.lease)

    def test_a_release_in_the_middle_of_a_create(self):
        lease = self.create()
        self.release(lease)
        clean = self.wait(lease["id"], lambda l: l["cleanup"]["state"] == "done")
        self.assertEqual(clean["state"], "released")
        labels = [s["labels"].get("lessor-lease") for s in self.broker.servers()]
        self.assertNotIn(lease["id"], labels)

    def test_a_client_that_leaves_loses_only_the_answer(self):
        body = cli_body()
        connection = self.broker.connect()
        connection.request("POST", "/v1/leases", json.dumps(body), {
            "Authorization": "Bearer " + self.broker.alice, "Prefer": "wait=30",
            "Content-Type": "application/json"})
        connection.close()
        until(lambda: self.ask("GET", "/v1/leases/" + body["leaseID"],
                               self.broker.alice).status != 404)
        lease = self.wait(body["leaseID"], lambda l: l["state"] == "active")
        self.release(lease)
        self.wait(lease["id"], lambda l: l["cleanup"]["state"] == "done")

    def test_a_crash_keeps_what_was_promised(self):
        lease = self.create()
        self.broker.kill()
        self.broker.start()
        lease = self.wait(lease["id"], lambda l: l["state"] == "active")
        self.release(lease)
        self.broker.kill()
        self.broker.start()
        self.wait(lease["id"], lambda l: l["cleanup"]["state"] == "done")
        labels = [s["labels"].get("lessor-lease") for s in self.broker.servers()]
        self.assertNotIn(lease["id"], labels)


class Faults(BrokerCase):
    """How the cloud's refusals appear to a client."""

    WORDS = "image not_found, http 404, http 401, secret-of-the-provider"

    def tearDown(self):
        self.broker.no_faults()

    def quiet(self, answer):
        for word in ("secret-of-the-provider", "http 404", "http 401", "not_found"):
            self.assertNotIn(word, answer.body[:answer.body.find(b'"provisioningAttempts"')]
                             .decode("utf-8"))
        for word in ("http 404", "http 401", "not_found"):
            self.assertNotIn(word, answer.body.decode("utf-8"))

    def test_sold_out_goes_on_to_the_next_type_and_says_so(self):
        self.broker.fault("s.create", "error", count=2, status=412, code="resource_unavailable",
                          message=self.WORDS)
        lease = self.create(locationExplicit=True)
        self.assertEqual(lease["requestedServerType"], "ccx63")
        self.assertEqual(lease["serverType"], "ccx43")
        self.assertEqual([a["serverType"] for a in lease["provisioningAttempts"]],
                         ["ccx63", "ccx53"])
        for attempt in lease["provisioningAttempts"]:
            self.assertEqual(attempt["category"], "capacity")
            self.assertIs(type(attempt["message"]), str)
        got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice)
        self.assertEqual(len(got.lease["provisioningAttempts"]), 2)
        self.release(lease)

    def test_every_type_sold_out_is_a_409_with_the_attempts(self):
        self.broker.fault("s.create", "error", status=412, code="resource_unavailable",
                          message=self.WORDS)
        answer = self.ask("POST", "/v1/leases", self.broker.bob, cli_body(**{
            "class": "tiny", "serverType": ""}))
        self.error(answer, 409, "provisioning_failed")
        self.quiet(answer)
        # Three types in two locations; those for which the short answer has no room are counted.
        attempts = answer.json["provisioningAttempts"]
        self.assertGreater(len(attempts), 2)
        self.assertEqual(len(attempts) + answer.json.get("attemptsOmitted", 0), 6)
        self.assertEqual(answer.lease["state"], "failed")
        whole = self.ask("GET", "/v1/leases/" + answer.lease["id"], self.broker.bob)
        self.assertTrue(whole.lease["failureError"])
        self.assertEqual(len(whole.lease["provisioningAttempts"]), 6)

    def test_a_quota_is_a_409(self):
        self.broker.fault("s.create", "error", status=403, code="resource_limit_exceeded",
                          message=self.WORDS)
        answer = self.ask("POST", "/v1/leases", self.broker.bob, cli_body(
            serverType="cx23", serverTypeExplicit=True))
        self.error(answer, 409, "provisioning_failed")
        self.quiet(answer)

    def test_a_lost_create_is_one_server(self):
        self.broker.fault("s.create", "lost", count=1)
        body = cli_body()
        answer = self.ask("POST", "/v1/leases", self.broker.alice, body)
        self.assertEqual((answer.status, answer.lease["state"]), (201, "active"), answer)
        self.assertEqual([s["id"] for s in self.broker.servers()
                          if s["lease"] == body["leaseID"]], [answer.lease["serverID"]])
        self.release(answer.lease)

    def test_a_failing_delete_is_pending_with_an_error_and_then_clean(self):
        lease = self.create()
        self.broker.fault("s.delete", "error", count=2, status=503, code="unavailable",
                          message=self.WORDS)
        answer = self.ask("POST", "/v1/leases/%s/release" % lease["id"], self.broker.alice,
                          {"delete": True}, {"Prefer": "wait=1"})
        self.assertEqual((answer.status, answer.lease["state"]), (200, "released"), answer)
        self.assertIn("cleanupStartedAt", answer.lease)
        self.assertIn("cleanupError", answer.lease)
        self.assertIn("cleanupRetryAt", answer.lease)
        self.assertGreaterEqual(answer.lease["cleanupAttempts"], 1)
        def clean():
            got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
            return got if "cleanupStartedAt" not in got else None
        self.assertNotIn("cleanupError", until(clean))
        self.assertEqual([s for s in self.broker.servers() if s["lease"] == lease["id"]], [])


class Caps(BrokerCase):
    options = {"limits": "max_active_per_owner = 2"}

    def test_a_cap_is_a_429_before_any_call(self):
        leases = [self.create(), self.create()]
        body = cli_body()
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, body), 429,
                   "cost_limit_exceeded")
        labels = [s["labels"].get("lessor-lease") for s in self.broker.servers()]
        self.assertNotIn(body["leaseID"], labels)
        # A retained server counts.
        self.release(leases[0], delete=False)
        self.error(self.ask("POST", "/v1/leases", self.broker.alice, cli_body()), 429,
                   "cost_limit_exceeded")
        self.release(leases[0], delete=True)
        leases[0] = self.create()
        for lease in leases:
            self.release(lease)


class Idempotency(BrokerCase):
    def test_the_same_request_after_another_configuration(self):
        """The hash covers what the client sent, not the values derived from it."""
        body = cli_body(leaseID=..., createAttemptID=..., slug=..., providerKey=..., image=...,
                        location=...)
        named = dict(body, image="ubuntu-24.04")
        keys = [{"Idempotency-Key": "job-" + new_id()[4:]} for _ in range(2)]
        made = [self.ask("POST", "/v1/leases", self.broker.alice, sent, key)
                for sent, key in zip((body, named), keys)]
        self.assertEqual([one.status for one in made], [201, 201], made)
        self.broker.kill()
        self.broker.edit("image = ubuntu-24.04\nimages = ubuntu-24.04, debian-12",
                         "image = debian-12\nimages = debian-12")
        self.broker.start()
        for first, sent, key in zip(made, (body, named), keys):
            again = self.ask("POST", "/v1/leases", self.broker.alice, sent, key)
            self.assertEqual((again.status, again.lease["id"]), (200, first.lease["id"]), again)
            self.error(self.ask("POST", "/v1/leases", self.broker.alice, dict(sent, keep=False), key),
                       409, "idempotency_key_reused")
            self.error(self.ask("POST", "/v1/leases", self.broker.alice,
                                dict(sent, keep=False, image="ubuntu-24.04", imageExplicit=True),
                                key), 400, "image_not_allowed")
        self.assertEqual(len(self.broker.servers()), 2)
        for first in made:
            self.release(first.lease)


if __name__ == "__main__":
    unittest.main()
