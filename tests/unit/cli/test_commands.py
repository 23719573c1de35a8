# SPDX-License-Identifier: MIT
"""Every other command, its exit codes and its JSON."""
import json
import os
import signal
import subprocess

from cli_case import (NOT_FOUND, PROGRAM, Case, error, gone, lease, main, ok, owed)
from cli_server import DROP, HANG, Answer


class Release(Case):
    def script(self, *leases):
        rest = list(leases)

        def script(request):
            return ok(rest.pop(0) if len(rest) > 1 else rest[0])
        return self.serve(script)

    def test_gone(self):
        server = self.script(owed(), owed(), gone())
        r = self.run_cli("release", "violet-prawn", code=0)
        self.assertEqual(r.out, "released cbx_0123456789ab (violet-prawn), nothing is left\n")
        self.assertEqual(server.requests[0].path, "/v1/leases/violet-prawn/release")
        self.assertEqual(server.requests[0].body, {})
        self.assertEqual(server.requests[1].path, "/v1/leases/cbx_0123456789ab")

    def test_flags(self):
        server = self.script(gone())
        self.run_cli("release", "x", "--delete", code=0)
        self.assertEqual(server.requests[-1].body, {"delete": True})
        self.run_cli("release", "--keep-server", "x", code=0)
        self.assertEqual(server.requests[-1].body, {"delete": False})
        self.run_cli("release", "x", "--delete", "--keep-server", code=2)
        self.run_cli("release", code=2)

    def test_kept(self):
        self.script(lease("released", cleanup={"state": "retained", "tries": 0},
                          hourlyPrice=0.0208, currency="EUR"))
        r = self.run_cli("release", "x", "--keep-server", code=0)
        self.assertIn("kept: server 4711", r.out)
        self.assertIn("0.0208 EUR/h until: lessor release cbx_0123456789ab --delete", r.err)

    def test_how_safe_it_is(self):
        for retention, words in (("protected", "is protected against deletion at the provider"),
                                 ("recorded", "not protected at the provider"),
                                 ("unsure", "it is unknown whether it still exists")):
            kept = lease("released", cleanup={"state": "retained"}, retention=retention)
            server = self.script(kept)
            r = self.run_cli("release", "x", "--keep-server", code=0)
            self.assertIn(words, r.err)
            self.assertEqual(server.requests[0].headers["Prefer"], "wait=20")
            self.assertEqual(len(server.requests), 1)
            self.assertRegex(self.run_cli("show", "x", code=0).out, r"retention +" + retention)
        server = self.script(dict(kept, attention="account hetzner is fenced"))
        r = self.run_cli("release", "x", "--keep-server", "--no-wait", code=0)
        self.assertIn("operator action needed: account hetzner is fenced", r.err)
        self.assertEqual(server.requests[0].headers["Prefer"], "respond-async")

    def test_attention(self):
        self.script(dict(owed(cleanup="attention"), attention="it is not ours"))
        r = self.run_cli("release", "x", code=8)
        self.assertIn("cleanup pending: server 4711 (crabbox-violet-prawn), ssh_key 12 (key-x)",
                      r.out)
        self.assertIn("operator action needed: it is not ours", r.err)

    def test_the_account_is_blocked(self):
        server = self.script(dict(owed(), attention="account hetzner is blocked"))
        r = self.run_cli("release", "x", code=8)
        self.assertIn("operator action needed: account hetzner is blocked", r.err)
        self.assertEqual(len(server.requests), 1, "nothing comes of waiting")

    def test_no_wait(self):
        server = self.script(owed())
        r = self.run_cli("release", "x", "--no-wait", code=0)
        self.assertIn("cleanup pending: server 4711", r.out)
        self.assertEqual(len(server.requests), 1)

    def test_interrupted(self):
        server = self.script(owed())
        r = self.interrupt_when(server, "GET", "", ["release", "x"])
        self.assertEqual(r.code, 130, r.err)
        self.assertIn("cleanup pending: server 4711", r.out)
        self.assertIn("was accepted and continues", r.err)

    def test_interrupted_before_an_answer(self):
        server = self.serve(lambda r: HANG)
        r = self.interrupt_when(server, "POST", "/release", ["release", "x"])
        self.assertEqual(r.code, 130, r.err)
        self.assertIn("may or may not", r.err)

    def test_repeats_a_lost_one(self):
        answers = [DROP, error(503, "unavailable")]
        server = self.serve(lambda r: answers.pop(0) if answers else ok(gone()))
        self.run_cli("release", "x", code=0)
        self.assertEqual(len(server.seen("POST", "/release")), 3)

    def test_other_servers(self):
        """A coordinator without our extensions."""
        old = lease("released", cleanupStartedAt="2026-08-21T10:00:00Z",
                    releaseDeletesServer=True)
        new = lease("released", releaseDeletesServer=True)
        kept = lease("released", releaseDeletesServer=False)
        for doc in (old, new, kept):
            del doc["cleanup"]
        self.script(old, new)
        self.assertIn("nothing is left", self.run_cli("release", "x", code=0).out)
        self.script(kept)
        self.assertIn(", kept: ", self.run_cli("release", "x", code=0).out)

    def test_ended_before(self):
        self.script(gone("expired"))
        r = self.run_cli("release", "x", code=0)
        self.assertIn("which had already expired", r.out)

    def test_json(self):
        self.script(owed(), gone())
        r = self.run_cli("release", "x", "--json", code=0)
        self.assertEqual(r.json()["lease"]["cleanup"]["state"], "done")
        self.script(owed(cleanup="attention"))
        r = self.run_cli("release", "x", "--json", code=8)
        self.assertEqual(len(r.json()["lease"]["cleanup"]["residue"]), 2)


class People(Case):
    def test_resolve(self):
        server = self.serve(lambda r: ok(gone()))
        self.run_cli("resolve", "x", "retry", code=0)
        self.assertEqual(server.requests[0].path, "/v1/leases/x/retry")
        r = self.run_cli("resolve", "x", "forget", "--resource", "7", "--reason", "why", code=0)
        self.assertEqual(server.requests[1].path, "/v1/admin/leases/x/resolve")
        self.assertEqual(server.requests[1].body,
                         {"action": "forget", "resource": 7, "reason": "why"})
        self.assertIn("(violet-prawn): forgotten", r.out)
        self.run_cli("resolve", "x", "adopt", "4711", "--reason", "why", code=0)
        self.assertEqual(server.requests[2].body,
                         {"action": "adopt", "id": "4711", "reason": "why"})
        count = len(server.requests)
        for words in (("x",), ("x", "delete"), ("x", "forget"), ("x", "adopt", "--reason", "y"),
                      ("x", "retry", "7"), ("x", "retry", "--resource", "y")):
            self.run_cli("resolve", *words, code=2)
        self.assertEqual(len(server.requests), count)

    def test_sweep(self):
        stray = {"kind": "server", "id": "7", "name": "lessor-x", "lease": "cbx_0123456789ab",
                 "why": "ended", "firstSeenAt": "2026-08-21T10:00:00Z", "sightings": 3,
                 "wouldDelete": True}
        doc = {"mode": "report", "deleting": 1, "accounts": [
            {"account": "hetzner", "sweptAt": "2026-08-21T10:00:00Z", "objects": 12,
             "storeIsBehind": True, "strays": [stray, dict(stray, id="8", stays="too young")]}]}
        server = self.serve(lambda r: Answer(200, doc))
        r = self.run_cli("sweep", code=0)
        self.assertEqual(server.requests[0].method, "GET")
        self.assertRegex(r.out, r"server +7 +lessor-x .*would be deleted")
        self.assertRegex(r.out, r"server +8 .*too young")
        self.assertIn("lessor sweep --looked", r.err)
        r = self.run_cli("sweep", "--delete", "--account", "hetzner", "--reason", "y", code=0)
        self.assertEqual(server.requests[1].body,
                         {"action": "delete", "provider": "hetzner", "reason": "y"})
        self.assertIn("1 handed to cleanup", r.out)
        self.run_cli("sweep", "--delete", "--run", code=2)
        self.run_cli("sweep", "--reason", "x", code=2)

    def test_take_over(self):
        doc = {"account": {"name": "hetzner", "fenced": False, "message": "It is in use."}}
        server = self.serve(lambda r: Answer(200, doc))
        r = self.run_cli("account", "take-over", "hetzner", code=2)
        for what in ("lessor sweep", "lessor list --retained", "lessor list --attention"):
            self.assertIn(what, r.err.split("\n")[0])
        self.run_cli("account", "take-over", "--looked", code=2)
        self.run_cli("account", "release", "hetzner", "--looked", code=2)
        self.assertEqual(server.requests, [])
        r = self.run_cli("account", "take-over", "hetzner", "--looked", code=0)
        self.assertEqual((r.out, r.err), ("hetzner: taken over\n", "It is in use.\n"))
        self.assertEqual(server.requests[0].path, "/v1/admin/accounts/hetzner/take-over")
        self.assertEqual(server.requests[0].body, {"looked": True})
        r = self.run_cli("account", "take-over", "a/b", "--looked", "--reason", "restored", "--json",
                         code=0)
        self.assertEqual(r.json(), doc)
        self.assertEqual(server.requests[1].path, "/v1/admin/accounts/a%2Fb/take-over")
        self.assertEqual(server.requests[1].body, {"looked": True, "reason": "restored"})
        self.serve(lambda r: NOT_FOUND)
        self.run_cli("account", "take-over", "x", "--looked", code=3)

    def test_keeping(self):
        server = self.serve(lambda r: ok(lease("released", cleanup={"state": "retained"})))
        self.run_cli("release", "x", "--keep-server", "--until", "2099-01-01T00:00:00Z",
                     "--reason", "why", code=0)
        self.assertEqual(server.requests[0].body, {
            "delete": False, "retainUntil": "2099-01-01T00:00:00.000Z", "reason": "why"})
        self.run_cli("release", "x", "--until", "7d", code=2)
        self.run_cli("release", "x", "--keep-server", "--until", "soon", code=2)

    def test_lists(self):
        one = owed(cleanup="attention")
        one.update(attention="look at it", runningCost=1.5, currency="EUR", retainReason="why",
                   retention="protected")
        server = self.serve(lambda r: Answer(200, {"leases": [one]}))
        r = self.run_cli("list", "--attention", code=0)
        self.assertIn("attention=true", server.requests[0].query)
        self.assertIn("look at it", r.out)
        r = self.run_cli("list", "--retained", code=0)
        self.assertIn("cleanup=retained", server.requests[1].query)
        self.assertIn("1.50 EUR", r.out)
        self.assertIn(" protected ", r.out)
        self.run_cli("list", "--all", "--retained", code=2)


class Codes(Case):
    def code(self, answer, want, *words):
        self.serve(lambda r: answer)
        return self.run_cli(*(words or ("show", "x")), code=want)

    def test_statuses(self):
        self.code(error(400, "invalid_field"), 4)
        self.code(NOT_FOUND, 3)
        self.code(NOT_FOUND, 3, "release", "x")
        self.code(NOT_FOUND, 3, "events", "x")
        self.code(NOT_FOUND, 3, "events", "x", "--follow")
        self.code(error(403, "forbidden"), 4)
        self.code(error(409, "lease_ended"), 6, "heartbeat", "x")
        self.code(error(409, "ambiguous_slug"), 4)
        self.code(error(500, "internal"), 1)
        self.code(Answer(502, raw=b"<html>bad gateway"), 7)
        self.code(DROP, 7)

    def test_unauthorized(self):
        r = self.code(error(401, "unauthorized"), 5, "whoami")
        self.assertIn("the token was rejected (it is from LESSOR_TOKEN)", r.err)
        del self.env["LESSOR_TOKEN"]
        r = self.code(error(401, "unauthorized"), 5, "whoami")
        self.assertIn("set LESSOR_TOKEN", r.err)

    def test_retry_after(self):
        r = self.code(Answer(429, {"error": "slow_down"}, headers=[("Retry-After", "7")]), 4)
        self.assertIn("retry in 7 s", r.err)

    def test_no_json(self):
        r = self.code(Answer(200, raw=b"<html>hello"), 1)
        self.assertIn("not a JSON object", r.err)
        self.code(Answer(200, raw=b"[]"), 1)
        self.code(Answer(200, {"lease": {}}), 1)

    def test_redirects_are_not_followed(self):
        elsewhere = self.serve(lambda r: self.fail("followed"))
        r = self.code(Answer(302, {}, headers=[("Location", elsewhere.url + "/x")]), 1)
        self.assertIn("redirect", r.err)
        self.assertEqual(elsewhere.requests, [])

    def test_a_huge_answer(self):
        r = self.code(Answer(200, raw=b" " * (17 * 1024 * 1024)), 7)
        self.assertIn("larger than 16 MiB", r.err)

    def test_hostile_text(self):
        r = self.code(error(400, "bad\x1b[2J", "line\nline \u202e \u009b2J"), 4)
        self.assertIn("line\\nline \\u202e \\u009b2J (bad\\x1b[2J, HTTP 400)", r.err)

    def test_usage(self):
        for words in ((), ("nonsense",), ("show",), ("show", "a", "b"), ("show", ""),
                      ("list", "--all", "--state", "x"), ("usage", "--month", "2026-13"), ("heartbeat", "x", "--idle", "9"),
                      ("--token", "s3cret", "list"), ("list", "--token=s3cret")):
            self.run_cli(*words, code=2)

    def test_urls(self):
        for url in ("ftp://x", "http://u:s3cret@x", "http://x/?a", "unix:relative", "x", "http://"):
            self.env["LESSOR_URL"] = url
            self.run_cli("whoami", code=2)

    def test_help(self):
        self.assertIn("exit codes:", self.run_cli("--help", code=0).out)
        for name in ("create", "list", "show", "events", "heartbeat", "release", "account",
                     "providers", "usage", "whoami"):
            self.assertIn("usage: lessor " + name, self.run_cli(name, "--help", code=0).out)
        self.assertRegex(self.run_cli("--version", code=0).out, r"^lessor \d")

    def test_a_full_disk_is_an_error(self):
        self.serve(lambda r: ok(lease()))
        with open("/dev/full", "w") as full:
            p = subprocess.run([PROGRAM, "show", "x"], env=self.env, stdout=full,
                               stderr=subprocess.PIPE, text=True)
        self.assertEqual(p.returncode, 1)
        self.assertIn("cannot write", p.stderr)

    def test_f7_a_pipe_that_is_closed_early_is_no_error(self):
        self.serve(lambda r: ok(lease()))
        for words in (("show", "x"), ("show", "x", "--json"), ("--help",)):
            reader, writer = os.pipe()
            os.close(reader)
            p = subprocess.run([PROGRAM, *words], env=self.env, stdout=writer,
                               stderr=subprocess.PIPE, text=True)
            os.close(writer)
            self.assertEqual((p.returncode, p.stderr), (0, ""))


class Transport(Case):
    def test_f8_https_to_a_plain_port(self):
        server = self.serve(lambda r: Answer(200, {"owner": "alice"}))
        self.env["LESSOR_URL"] = server.url.replace("http://", "https://")
        r = self.run_cli("whoami", code=7)
        self.assertIn("it speaks plain http there", r.err)
        self.assertNotIn("version number", r.err)

    def test_unix_socket(self):
        server = self.serve(lambda r: Answer(200, {"owner": "alice", "org": "acme"}),
                            self.home + "/sock")
        self.assertEqual(self.run_cli("whoami", code=0).out, "alice of acme\n")
        self.env["LESSOR_URL"] = "unix://" + self.home + "/sock"
        self.run_cli("whoami", code=0)
        self.assertEqual(len(server.requests), 2)

    def test_prefix_and_encoding(self):
        server = self.serve(lambda r: ok(lease()))
        self.run_cli("show", "a/../b c?", "--url", server.url + "/base/", code=0)
        self.assertEqual(server.requests[0].path, "/base/v1/leases/a%2F..%2Fb%20c%3F")
        self.run_cli("show", "..", code=0)
        self.assertEqual(server.requests[1].path, "/v1/leases/..")

    def test_loopback_needs_no_proxy(self):
        server = self.serve(lambda r: ok(lease()))
        self.env["http_proxy"] = "http://127.0.0.1:1"
        self.run_cli("show", "x", code=0)
        self.assertEqual(len(server.requests), 1)

    def test_token_file(self):
        server = self.serve(lambda r: ok(lease()))
        path = self.home + "/token"
        with open(path, "w") as f:
            f.write("s3cret-file\n")
        os.chmod(path, 0o644)
        r = self.run_cli("show", "x", "--token-file", path, code=0)
        self.assertEqual(server.requests[0].headers["Authorization"], "Bearer s3cret-file")
        self.assertIn("chmod 600", r.err)
        os.chmod(path, 0o600)
        self.assertEqual(self.run_cli("show", "x", "--token-file", path, code=0).err, "")


class Reading(Case):
    def test_show(self):
        self.serve(lambda r: ok(owed(nextTryAt="2099-01-01T00:00:00Z")))
        r = self.run_cli("show", "x", code=0)
        for text in ("cbx_0123456789ab", "cx23 (requested: ccx13)", "released",
                     "server 4711 (crabbox-violet-prawn), ssh_key 12 (key-x)", "locked"):
            self.assertIn(text, r.out)
        self.assertEqual(self.run_cli("show", "x", "--json", code=0).json()["lease"]["id"],
                         "cbx_0123456789ab")

    def test_list(self):
        old = gone(id="cbx_000000000003")

        def script(request):
            if "state=provisioning" in request.query:
                return Answer(200, {"leases": [lease("provisioning", id="cbx_000000000001")]})
            if "state=active" in request.query:
                if "before=" not in request.query:
                    return Answer(200, {"leases": [lease(id="cbx_000000000002")],
                                        "nextBefore": "cbx_000000000002"})
                return Answer(200, {"leases": [lease(slug="long-" * 20 + "\x1b[1m")]})
            if "state=expired" in request.query:
                return Answer(200, {"leases": [old]})
            if "cleanup=retained" in request.query:
                return Answer(200, {"leases": [owed(cleanup="retained")]})
            return Answer(200, {"leases": [lease(id="cbx_000000000002"), old]})
        server = self.serve(script)
        r = self.run_cli("list", code=0)
        lines = r.out.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0], r"^LEASE +SLUG +STATE")
        self.assertIn("long-" * 20 + "\\x1b[1m", r.out)     # nothing is truncated
        self.assertNotIn("cbx_000000000003", r.out)
        self.assertEqual(len(self.run_cli("list", "--json", code=0).json()["leases"]), 3)
        self.assertEqual(len(self.run_cli("list", "--all", "--json", code=0).json()["leases"]), 2)
        r = self.run_cli("list", "--state", "expired", code=0)
        self.assertIn("cbx_000000000003", r.out)
        self.assertIn("state=expired", server.requests[-1].query)

    def test_empty_list(self):
        self.serve(lambda r: Answer(200, {"leases": []}))
        r = self.run_cli("list", code=0)
        self.assertEqual((r.out, r.err), ("", "no leases\n"))
        self.assertEqual(self.run_cli("list", "--json", code=0).json(), {"leases": []})

    def test_heartbeat(self):
        server = self.serve(lambda r: ok(lease()))
        r = self.run_cli("heartbeat", "x", "--idle", "2h", code=0)
        self.assertEqual(server.requests[0].body, {"idleTimeoutSeconds": 7200})
        self.assertIn("ends in ", r.out)
        self.run_cli("heartbeat", "x", "--json", code=0).json()
        self.assertEqual(server.requests[1].body, {})

    def test_events(self):
        def script(request):
            after = int(request.query.split("after=")[1].split("&")[0])
            return Answer(200, {"events": [
                {"seq": n, "at": "2026-08-21T10:00:00Z", "type": "server.created",
                 "message": "n %d\n" % n} for n in range(after + 1, min(after + 501, 701))]})
        self.serve(script)
        r = self.run_cli("events", "x", code=0)
        self.assertEqual(len(r.out.splitlines()), 700)
        self.assertTrue(r.out.startswith("2026-08-21T10:00:00Z  server.created  n 1\\n\n"))
        self.assertEqual(len(self.run_cli("events", "x", "--json", code=0).json()["events"]), 700)

    def test_events_follow(self):
        state = {"seq": 0, "asked": 0}

        def script(request):
            if request.path.endswith("/events"):
                self.assertIn("/cbx_0123456789ab/", request.path)
                state["asked"] += 1
                if state["asked"] == 2:
                    return DROP
                after = int(request.query.split("after=")[1].split("&")[0])
                if state["seq"] < 3 and after == state["seq"]:
                    state["seq"] += 1
                events = [{"seq": n, "at": "t", "kind": "k", "text": "%d" % n}
                          for n in range(after + 1, state["seq"] + 1)]
                return Answer(200, {"events": events})
            return ok(gone() if state["seq"] == 3 else owed())
        self.serve(script)
        r = self.run_cli("events", "violet-prawn", "--follow", "--json", code=0)
        self.assertEqual([json.loads(x)["seq"] for x in r.out.splitlines()], [1, 2, 3])

    def test_events_follow_interrupted(self):
        def script(request):
            return Answer(200, {"events": []}) if request.path.endswith("/events") else ok(lease())
        server = self.serve(script)
        r = self.interrupt_when(server, "GET", "/events", ["events", "x", "--follow"],
                                number=signal.SIGINT)
        self.assertEqual(r.code, 130)

    def test_providers(self):
        self.serve(lambda r: Answer(200, {
            "providers": [{"name": "hetzner", "plugin": "hetzner", "locations": ["fsn1", "nbg1"],
                           "image": "ubuntu-24.04", "blocked": True, "message": "look at it"},
                          {"name": "hz2", "plugin": "hetzner", "locations": [], "blocked": False,
                           "provenAt": "2026-08-21T10:00:00Z", "message": "fine"},
                          {"name": "hz3", "plugin": "hetzner", "locations": [], "blocked": True,
                           "fenced": True, "message": "an older copy"}],
            "classes": [{"name": "tiny", "types": ["ccx13", "cx23"]}]}))
        r = self.run_cli("providers", code=0)
        self.assertRegex(r.out, r"hetzner +hetzner +blocked +fsn1, nbg1 +ubuntu-24.04 +look at it")
        self.assertRegex(r.out, r"hz2 +hetzner +ready")
        self.assertRegex(r.out, r"hz3 +hetzner +fenced .*an older copy")
        self.assertRegex(r.out, r"tiny +ccx13, cx23")
        self.run_cli("providers", "--json", code=0).json()

    def test_usage(self):
        row = {"key": "alice@example.com", "leases": 3, "activeLeases": 1,
               "runtimeSeconds": 5400, "estimatedUSD": 0.61, "reservedUSD": 4.86}
        server = self.serve(lambda r: Answer(200, {
            "usage": dict(row, month="2026-08", scope="user", byOwner=[row], byOrg=[],
                          byProvider=[], byServerType=[]),
            "limits": {"maxActiveLeases": 10, "maxMonthlyUSD": 0}}))
        r = self.run_cli("usage", "--month", "2026-08", "--all", code=0)
        self.assertEqual(server.requests[0].query, "scope=all&month=2026-08")
        self.assertIn("2026-08: 3 leases, 1 active, 1.5 hours, 0.61 USD, 4.86 USD reserved", r.out)
        self.assertIn("limit: 10 active leases in total", r.out)
        doc = self.run_cli("usage", "--json", code=0)
        self.assertEqual(doc.json()["usage"]["estimatedUSD"], 0.61)
        self.assertIn('"estimatedUSD":0.61,', doc.out)
        self.assertRegex(server.requests[1].query, r"^scope=user&month=\d{4}-\d\d$")

    def test_u12_usage_is_in_each_accounts_currency(self):
        costs = [{"currency": "CHF", "amount": 0.0123, "reserved": 0.5},
                 {"currency": "EUR", "amount": 5.896212, "reserved": 1204.005}]
        row = {"key": "alice@example.com", "leases": 3, "activeLeases": 1, "servers": 4,
               "runtimeSeconds": 5400, "billedSeconds": 14400, "unpriced": 1,
               "estimatedUSD": 0, "reservedUSD": 0, "unconverted": ["CHF", "EUR"], "costs": costs}
        nothing = dict(row, key="bob@example.com", costs=[], unpriced=0)
        self.serve(lambda r: Answer(200, {
            "usage": dict(row, month="2026-08", scope="user", byOwner=[row, nothing], byOrg=[],
                          byProvider=[], byServerType=[]),
            "limits": {"maxHourlyPrice": 12.5, "maxHourlyPricePerOwner": 2, "maxMonthlyUSD": 0}}))
        r = self.run_cli("usage", "--month", "2026-08", code=0)
        self.assertIn("2026-08: 3 leases, 1 active, 4.0 hours, 0.0123 CHF + 5.90 EUR, 0.50 CHF +"
                      " 1204.01 EUR reserved\n", r.out)
        self.assertIn("1 machines have no known price", r.out)
        self.assertNotIn("USD", r.out)
        self.assertRegex(r.out, r"bob@example.com +3 +1 +4.0 +- +-\n")
        self.assertIn("limit: 12.50 per hour in total\nlimit: 2.00 per hour and owner\n", r.out)

    def test_u12_csv_is_passed_on_as_it_is(self):
        text = "lease,amount\r\ncbx_1,0.01\r\n"
        server = self.serve(lambda r: Answer(200, raw=text.encode(),
                                             headers=[("Content-Type", "text/csv")]))
        self.assertEqual(self.run_cli("usage", "--csv", code=0).out.replace("\r", ""),
                         text.replace("\r", ""))
        self.assertEqual(server.requests[0].headers["Accept"], "text/csv")
        # Another coordinator ignores what it does not know.
        self.serve(lambda r: Answer(200, {"usage": {}, "limits": {}}))
        self.assertIn("has no CSV", self.run_cli("usage", "--csv", code=1).err)
        self.serve(lambda r: Answer(403, {"error": "forbidden", "message": "Not for you."}))
        self.assertIn("Not for you.", self.run_cli("usage", "--csv", code=4).err)

    def test_whoami(self):
        self.serve(lambda r: Answer(200, {"owner": "a", "org": "b", "admin": True}))
        self.assertEqual(self.run_cli("whoami", code=0).out, "a of b, admin\n")
        self.assertTrue(self.run_cli("whoami", "--json", code=0).json()["admin"])


if __name__ == "__main__":
    main()
