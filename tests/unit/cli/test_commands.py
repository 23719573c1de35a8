# SPDX-License-Identifier: MIT
"""Every other command, its exit codes and its JSON."""
import datetime
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

from cli_case import (NOT_FOUND, PROGRAM, Case, error, gone, lease, main, ok, owed)
from cli_server import DROP, HANG, Answer


def stamp(seconds):
    """A time as responses contain it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


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
        self.assertIn("1 orphan handed to cleanup", r.out)
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

    def test_u2_classes(self):
        server = self.serve(lambda r: NOT_FOUND)
        server.classes = {"default": "small", "provider": "hetzner", "classes": [
            {"name": "tiny", "types": [{"name": "ccx13"}, {"name": "cx23"}]},
            {"name": "small", "types": [{"name": "cx33"}], "type": "cx33", "hourlyPrice": 0.0123,
             "currency": "EUR"}]}
        r = self.run_cli("classes", code=0)
        self.assertRegex(r.out, r"(?m)^tiny +unknown +ccx13, cx23$")
        self.assertRegex(r.out, r"(?m)^small +0.0123 EUR/h +cx33$")
        self.assertIn("without --class: small", r.err)
        self.assertEqual(self.run_cli("classes", "--json", code=0).json()["default"], "small")
        self.run_cli("classes", "--account", "hz2", code=0)
        self.assertEqual(server.asked_for_classes[-1], "provider=hz2")

    def test_u7_capacity(self):
        self.serve(lambda r: Answer(200, {
            "owner": "alice", "activeLeases": 2, "effectiveLimit": 3, "currency": "EUR",
            "scopes": [{"scope": "owner", "used": 2, "max": 3, "hourlyPrice": 0.1234,
                        "monthlyCost": 7.1, "maxMonthlyCost": 50},
                       {"scope": "account", "provider": "hz", "used": 4, "max": 9},
                       {"scope": "total", "used": 5, "hourlyPrice": 0.5, "maxHourlyPrice": 2}]}))
        r = self.run_cli("capacity", code=0)
        self.assertRegex(r.out, r"(?m)^owner alice +2 +3 +0.1234 EUR/h +- +7.10 EUR +50.00 EUR$")
        self.assertRegex(r.out, r"(?m)^account hz +4 +9 +- +- +- +-$")
        self.assertRegex(r.out, r"(?m)^total +5 +- +0.5 EUR/h +2 EUR/h +- +-$")
        self.assertEqual(self.run_cli("capacity", "--json", code=0).json()["owner"], "alice")
        self.serve(lambda r: Answer(200, {"owner": "alice", "activeLeases": 2}))
        self.assertEqual(self.run_cli("capacity", code=0).out, "alice: 2 active leases\n")

    def test_u1_extend(self):
        docs = [lease(createdAt="2026-08-21T10:00:00.000Z", ttlSeconds=60, idleTimeoutSeconds=60,
                      lastTouchedAt="2026-08-21T10:00:30.000Z"),
                lease(ttlSeconds=99, notices=[{"code": "ttl_shortened", "message": "shorter"}])]

        def script(request):
            return ok(docs[request.method == "POST"])
        server = self.serve(script)
        r = self.run_cli("extend", "violet-prawn", "1h", code=0)
        self.assertIn("note: shorter\n", r.err)
        self.assertRegex(r.out, r"^cbx_0123456789ab \(violet-prawn\) active\nends in ")
        sent = server.seen("POST", "/v1/leases/cbx_0123456789ab/extend")[0].body
        self.assertEqual(sent["ttlSeconds"] - sent["idleTimeoutSeconds"], 30)
        self.assertGreater(sent["ttlSeconds"], 3600)
        # Without an idle timeout there is none to raise; the time may begin later.
        docs[0].update(idleTimeoutSeconds=0, admittedAt="2026-08-21T10:01:00.000Z")
        self.run_cli("extend", "violet-prawn", "1h", code=0)
        later = server.seen("POST")[1].body
        self.assertEqual(list(later), ["ttlSeconds"])
        self.assertLess(later["ttlSeconds"], sent["ttlSeconds"] - 30)
        self.run_cli("extend", "violet-prawn", code=2)
        self.run_cli("extend", "violet-prawn", "1.5h", code=2)
        self.serve(lambda r: error(409, "lease_ended", "the lease has ended")
                   if r.method == "POST" else ok(docs[0]))
        self.assertIn("the lease has ended", self.run_cli("extend", "x", "1h", code=6).err)

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
    def test_text_8_https_to_a_plain_port(self):
        """f8, and the other way round (also tests/api/test_tls.py)."""
        server = self.serve(lambda r: Answer(200, {"owner": "alice"}))
        self.env["LESSOR_URL"] = server.url.replace("http://", "https://")
        r = self.run_cli("whoami", code=7)
        self.assertIn("it speaks plain http there", r.err)
        self.assertNotIn("version number", r.err)
        self.assertIn("LESSOR_URL to an http:// URL", r.err)
        r = self.run_cli("whoami", "--json", code=7)
        self.assertIn("it speaks plain http there", r.json()["message"])

    def test_text_8_http_to_a_tls_port(self):
        """A TLS server answers with an alert, or with nothing."""
        for answer in (b"\x15\x03\x03\x00\x02\x02\x46", b""):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.env["LESSOR_URL"] = "http://127.0.0.1:%d" % listener.getsockname()[1]
                process = self.start("whoami")
                peer = listener.accept()[0]
                peer.recv(4096)
                peer.sendall(answer)
                peer.close()
                r = self.finish(process)
            self.assertEqual(r.code, 7, r.err)
            self.assertIn("if it uses TLS, set LESSOR_URL to an https:// URL", r.err)

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
            if request.path == "/v1/whoami":
                return Answer(200, {"owner": lease()["owner"], "role": "user", "admin": False})
            if "view=current" in request.query:
                if "before=" not in request.query:
                    return Answer(200, {"leases": [lease("provisioning", id="cbx_000000000001"),
                                                   lease(id="cbx_000000000002"), old],
                                        "nextBefore": "cbx_000000000002"})
                return Answer(200, {"leases": [lease(slug="long-" * 20 + "\x1b[1m"),
                                               owed(cleanup="retained")]})
            if "state=expired" in request.query:
                return Answer(200, {"leases": [old]})
            return Answer(200, {"leases": [lease(id="cbx_000000000002"), old]})
        server = self.serve(script)
        r = self.run_cli("list", code=0)
        lines = r.out.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0], r"^LEASE +SLUG +STATE")
        self.assertIn("long-" * 20 + "\\x1b[1m", r.out)     # nothing is truncated
        # A coordinator that does not know the view sends what is over, too.
        self.assertNotIn("cbx_000000000003", r.out)
        self.assertEqual(len(self.run_cli("list", "--json", code=0).json()["leases"]), 3)
        self.assertEqual(len(self.run_cli("list", "--all", "--json", code=0).json()["leases"]), 2)
        r = self.run_cli("list", "--state", "expired", code=0)
        self.assertIn("cbx_000000000003", r.out)
        self.assertIn("state=expired", server.matching("GET", "/v1/leases")[-1].query)

    def test_u8_list_shows_price_age_and_owner(self):
        now = time.time()
        one = lease(id="cbx_000000000001", hourlyPrice=0.0123, currency="EUR", owner="alice",
                    region="fsn1", createdAt=stamp(now - 7200), expiresAt=stamp(now + 1790))
        two = dict(one, id="cbx_000000000002", owner="bob", provider="other")
        over = dict(gone(id="cbx_000000000003", owner="alice"), hourlyPrice=1, currency="EUR")
        who = {"owner": "alice", "role": "user", "admin": False}
        found = [one, over]
        self.serve(lambda r: Answer(200, who if r.path == "/v1/whoami" else {"leases": found}))
        r = self.run_cli("list", "--all", code=0)
        lines = r.out.splitlines()
        self.assertRegex(lines[0], r"^LEASE +SLUG +STATE +TYPE +LOCATION +PRICE +AGE +ENDS +LEFT *$")
        self.assertRegex(lines[1], r" fsn1 +0\.0123 EUR/h +2h( \ds)? +in 29m")
        self.assertEqual(r.err, "2 leases, 0.0123 EUR/h\n")    # what is over costs nothing more
        # A lease of somebody else, another account, and whoever sees all.
        found = [one, two]
        r = self.run_cli("list", code=0)
        self.assertRegex(r.out.splitlines()[0], r"LEFT +ACCOUNT +OWNER")
        self.assertRegex(r.out.splitlines()[2], r"other +bob")
        self.assertEqual(r.err, "2 leases, 0.0246 EUR/h\n")
        found = [one]
        who = {"owner": "root", "role": "admin", "admin": True}
        r = self.run_cli("list", code=0)
        self.assertRegex(r.out.splitlines()[0], r"LEFT +OWNER")
        self.assertEqual(r.err, "")

    def test_u8_list_filters(self):
        server = self.serve(lambda r: Answer(200, {"leases": []}))
        self.run_cli("list", "--owner", "a b@x", "--account", "hetzner", "--class", "small",
                     "--since", "2026-08-21", code=0)
        self.assertEqual(server.requests[-1].query, "limit=500&view=current&owner=a%20b%40x&"
                         "provider=hetzner&class=small&since=2026-08-21T00%3A00%3A00.000Z")
        self.run_cli("list", "--all", "--since", "2026-08-21T10:00:00+02:00", code=0)
        self.assertEqual(server.requests[-1].query, "limit=500&since=2026-08-21T08%3A00%3A00.000Z")
        before = time.time()
        self.run_cli("list", "--retained", "--since", "2d", code=0)
        match = re.search(r"^limit=500&cleanup=retained&since=(.*)$", server.requests[-1].query)
        since = datetime.datetime.strptime(urllib.parse.unquote(match[1]) + "+0000",
                                           "%Y-%m-%dT%H:%M:%S.%fZ%z").timestamp()
        self.assertAlmostEqual(since, before - 2 * 86400, delta=60)
        for bad in ("yesterday", "2026-13-01", "2"):
            r = self.run_cli("list", "--since", bad, code=2)
            self.assertIn("write for example 2d, 2026-08-21 or", r.err)

    def test_u8_list_follows_empty_pages(self):
        pages = iter([{"leases": [], "nextBefore": "cbx_000000000009"},
                      {"leases": [], "nextBefore": "cbx_000000000005"}, {"leases": [lease()]}])
        self.serve(lambda r: NOT_FOUND if r.path == "/v1/whoami" else Answer(200, next(pages)))
        self.assertIn("cbx_0123456789ab", self.run_cli("list", "--class", "tiny", code=0).out)

    def test_u18_attention_says_why_and_what_next(self):
        action = "lessor resolve cbx_0123456789ab retry"
        one = owed(cleanup="attention")
        one.update(attention="locked; by somebody; once that is fixed: " + action,
                   attentionAction=action)
        self.serve(lambda r: Answer(200, {"leases": [one]}) if r.path == "/v1/leases" else ok(one))
        r = self.run_cli("list", "--attention", code=0)
        self.assertRegex(r.out.splitlines()[0], r"^LEASE +SLUG +OWNER +LEFT +NEXT +REASON *$")
        self.assertRegex(r.out.splitlines()[1], action + r" +locked; by somebody *$")
        r = self.run_cli("show", "x", code=0)
        self.assertRegex(r.out, r"(?m)^attention +locked; by somebody; once that is fixed: lessor ")
        self.assertRegex(r.out, r"(?m)^next +%s$" % action)

    def test_u21_show_of_a_lease_that_ended(self):
        one = gone("expired", endReason="idle", host="", lastHost="203.0.113.7", hourlyPrice=0.5,
                   currency="EUR")
        self.serve(lambda r: ok(one))
        r = self.run_cli("show", "build", code=0)
        for line in (r"end reason +idle: no heartbeat for the idle timeout",
                     r"last host +203\.0\.113\.7", r"price +0\.5 EUR/h",
                     r"timeline +lessor events cbx_0123456789ab"):
            self.assertRegex(r.out, "(?m)^%s$" % line)
        self.assertNotIn("login", r.out)

    def test_text_13_an_unknown_state(self):
        server = self.serve(lambda r: self.fail("asked"))
        r = self.run_cli("list", "--state", "bogus", code=2)
        self.assertIn("--state 'bogus' is not a state; the states are provisioning, active, "
                      "released, expired and failed", r.err)
        self.assertEqual(server.requests, [])

    def test_f7_a_list_that_nobody_reads_on(self):
        """More than a pipe holds; head takes one line and leaves."""
        many = [lease(id="cbx_%012x" % n) for n in range(3000)]
        self.serve(lambda r: Answer(200, {"leases": many if "current" in r.query else []}))
        for words in ("list", "list --json", "events x"):
            p = subprocess.run(["sh", "-c", f"{PROGRAM} {words} | head -c 10 >/dev/null"],
                               env=self.env, capture_output=True, text=True, check=False)
            self.assertEqual(p.stderr, "")

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

    def test_providers(self):
        self.serve(lambda r: Answer(200, {
            "providers": [{"name": "hetzner", "plugin": "hetzner", "locations": ["fsn1", "nbg1"],
                           "image": "ubuntu-24.04", "blocked": True, "message": "look at it"},
                          {"name": "hz2", "plugin": "hetzner", "locations": [], "blocked": False,
                           "provenAt": "2026-08-21T10:00:00Z", "message": "fine"},
                          {"name": "hz3", "plugin": "hetzner", "locations": [], "blocked": True,
                           "fenced": True, "message": "an older copy"},
                          {"name": "hz4", "plugin": "hetzner", "locations": [], "blocked": False,
                           "daemon": "other", "message": "elsewhere"},
                          {"name": "hz5", "plugin": "hetzner", "locations": [], "blocked": False,
                           "daemon": "other", "frozen": True, "message": "it failed over"},
                          {"name": "hz6", "plugin": "hetzner", "locations": [], "blocked": False,
                           "daemon": "none", "message": "nobody"}],
            "classes": [{"name": "tiny", "types": ["ccx13", "cx23"]}]}))
        r = self.run_cli("providers", code=0)
        self.assertRegex(r.out, r"hetzner +hetzner +blocked +fsn1, nbg1 +ubuntu-24.04 +look at it")
        self.assertRegex(r.out, r"hz2 +hetzner +ready")
        self.assertRegex(r.out, r"hz3 +hetzner +fenced .*an older copy")
        self.assertRegex(r.out, r"hz4 +hetzner +ready .*elsewhere")
        self.assertRegex(r.out, r"hz5 +hetzner +frozen .*it failed over")
        self.assertRegex(r.out, r"hz6 +hetzner +not verified .*nobody")
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
