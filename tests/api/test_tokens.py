#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tokens of clients, for admins: /v1/admin/tokens, `lessor token` and `lessord token`."""

import concurrent.futures
import datetime
import http.client
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BrokerCase, is_postgresql, sqlite_only, until, wait_for  # noqa: E402
from test_crabbox_control import Closed, Control  # noqa: E402

ROUTE = "/v1/admin/tokens"


class TokenCase(BrokerCase):
    def add(self, owner="carol@example.com", status=201, headers=None, **more):
        answer = self.ask("POST", ROUTE, self.broker.admin, dict(owner=owner, **more), headers)
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def rotate(self, ident, status=201, headers=None, **body):
        answer = self.ask("POST", "%s/%s/rotate" % (ROUTE, ident), self.broker.admin, body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def revoke(self, ident, token=None):
        return self.ask("DELETE", "%s/%s" % (ROUTE, ident), token or self.broker.admin)

    def listed(self):
        """All tokens by id, in pages of three."""
        tokens, cursor = [], ""
        while True:
            answer = self.ask("GET", ROUTE + "?limit=3" + cursor, self.broker.admin)
            self.assertEqual(answer.status, 200, answer)
            self.assertLessEqual(len(answer.json["tokens"]), 3)
            tokens += answer.json["tokens"]
            if "nextCursor" not in answer.json:
                break
            cursor = "&cursor=" + answer.json["nextCursor"]
        ids = [t["id"] for t in tokens]
        self.assertEqual(ids, sorted(set(ids)))
        return {t["id"]: t for t in tokens}

    def who(self, token):
        return self.ask("GET", "/v1/whoami", token)

    def hello(self, socket):
        self.assertEqual(socket.hear()["type"], "hello")

    def ends(self, socket, why):
        """The server says why it closes the socket."""
        self.assertIn(why, socket.hear()["message"])
        with self.assertRaises(Closed):
            socket.hear()
        self.assertEqual(socket.code, 1008)

    def tool(self, *words, code=0):
        done = subprocess.run([self.broker.lessord, "token", *words, "--config",
                               self.broker.home + "/conf"], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, code, done)
        return done


class Tokens(TokenCase):
    def test_add(self):
        made = self.add(org="acme", role="reader", label="the dashboard \u2192", expiresInSeconds=3600)
        token = made["token"]
        self.assertRegex(made["secret"], "^lsr_%s_[A-Za-z0-9_-]{43}$" % token["id"])
        self.assertEqual([token[k] for k in ("state", "role", "owner", "org", "label")],
                         ["valid", "reader", "carol@example.com", "acme", "the dashboard \u2192"])
        self.assertNotIn("lastUsedAt", token)
        # At once, and as it says.
        shown = self.who(made["secret"]).json
        self.assertEqual((shown["owner"], shown["role"]), ("carol@example.com", "reader"))
        self.assertEqual(shown["tokenExpiresAt"], token["expiresAt"])
        self.assertEqual(self.listed()[token["id"]]["label"], "the dashboard \u2192")
        defaults = self.add()["token"]
        self.assertEqual((defaults["org"], defaults["role"]), ("default", "user"))
        self.assertNotIn("expiresAt", defaults)
        self.assertNotIn("label", defaults)

    def test_bad_bodies(self):
        for body in ({}, {"owner": "*"}, {"owner": ""}, {"owner": 7}, {"owner": "a", "role": "root"},
                     {"owner": "a", "org": ""}, {"owner": "a", "label": "x" * 65},
                     {"owner": "a", "label": "two\nlines"}, {"owner": "a", "expiresInSeconds": 0},
                     {"owner": "a", "expiresInSeconds": -1}, {"owner": "a", "expires": "90d"},
                     {"owner": "a", "id": "0" * 16}, {"owner": "a", "expiresInSeconds": 2 ** 62}):
            answer = self.ask("POST", ROUTE, self.broker.admin, body)
            self.assertEqual(answer.status, 400, (body, answer))
        token = self.add()["token"]
        for body in ({"graceSeconds": -1}, {"grace": "1h"}, {"graceSeconds": 7776001}):
            answer = self.ask("POST", "%s/%s/rotate" % (ROUTE, token["id"]), self.broker.admin, body)
            self.assertEqual(answer.status, 400, (body, answer))
        self.assertEqual(self.listed()[token["id"]]["state"], "valid")
        for key in ("", "two words", "x" * 128):
            answer = self.ask("POST", ROUTE, self.broker.admin, {"owner": "a"},
                              {"Idempotency-Key": key})
            self.assertIn(answer.status, (400,), (key, answer))

    def test_others_may_not(self):
        token = self.add()["token"]
        for other in (self.broker.alice, self.broker.reader):
            for method, path, body in (("GET", ROUTE, None), ("POST", ROUTE, {"owner": "me"}),
                                       ("DELETE", ROUTE + "/" + token["id"], None),
                                       ("POST", ROUTE + "/" + token["id"] + "/rotate", {})):
                answer = self.ask(method, path, other, body)
                self.assertEqual((answer.status, answer.error), (403, "forbidden"), answer)
        self.assertEqual(self.ask("GET", ROUTE).status, 401)
        self.assertEqual(self.listed()[token["id"]], token)

    def test_unknown(self):
        for ident in ("0" * 16, "nope", "..", "0" * 63, "A" * 16):
            self.assertEqual(self.revoke(ident).status, 404, ident)
            self.assertEqual(self.ask("POST", "%s/%s/rotate" % (ROUTE, ident),
                                      self.broker.admin).status, 404, ident)
        self.assertEqual(self.ask("GET", ROUTE + "?cursor=nope", self.broker.admin).status, 400)

    def test_revoke(self):
        made = self.add()
        socket = Control(self.broker.port, made["secret"])
        self.addCleanup(socket.close)
        self.hello(socket)
        answer = self.revoke(made["token"]["id"])
        self.assertEqual((answer.status, answer.json["token"]["state"]), (200, "revoked"), answer)
        self.assertNotIn("secret", answer.json)
        # What is answered is so.
        refused = self.who(made["secret"])
        self.assertEqual(refused.status, 401)
        self.assertRegex(refused.json["message"], "^this token was revoked on ")
        self.ends(socket, "this token was revoked on ")
        # Again: nothing changes.
        again = self.revoke(made["token"]["id"])
        self.assertEqual((again.status, again.json), (200, answer.json))

    def test_rotate(self):
        made = self.add(org="acme", role="reader", label="ci", expiresInSeconds=864000)
        ident = made["token"]["id"]
        done = self.rotate(ident)
        new, old = done["token"], done["old"]
        self.assertEqual((new["rotatedFrom"], new["owner"], new["org"], new["role"], new["label"]),
                         (ident, "carol@example.com", "acme", "reader", "ci"))
        self.assertEqual(self.seconds(new["createdAt"], new["expiresAt"]), 864000)
        self.assertNotEqual(done["secret"], made["secret"])
        # Both are valid for a day.
        self.assertEqual(self.seconds(new["createdAt"], old["expiresAt"]), 86400)
        self.assertEqual(old["state"], "valid")
        for text in (made["secret"], done["secret"]):
            self.assertEqual(self.who(text).status, 200)
        # A second rotation of the old one would leave three.
        answer = self.ask("POST", "%s/%s/rotate" % (ROUTE, ident), self.broker.admin)
        self.assertEqual((answer.status, answer.error), (409, "token_rotated"), answer)
        self.assertIn(new["id"], answer.json["message"])

    def test_rotate_without_grace(self):
        made = self.add()
        done = self.rotate(made["token"]["id"], graceSeconds=0, expiresInSeconds=60)
        self.assertEqual(done["old"]["state"], "revoked")
        self.assertEqual(self.seconds(done["token"]["createdAt"], done["token"]["expiresAt"]), 60)
        self.assertEqual(self.who(made["secret"]).status, 401)
        self.assertEqual(self.who(done["secret"]).status, 200)
        # Nothing is left to rotate there.
        self.revoke(done["token"]["id"])
        answer = self.ask("POST", "%s/%s/rotate" % (ROUTE, made["token"]["id"]), self.broker.admin)
        self.assertEqual((answer.status, answer.error), (409, "token_ended"), answer)

    def test_grace_ends(self):
        made = self.add()
        socket = Control(self.broker.port, made["secret"])
        self.addCleanup(socket.close)
        self.hello(socket)
        done = self.rotate(made["token"]["id"], graceSeconds=1)
        # The event is the socket's end; it is not asked for before.
        self.ends(socket, "this token expired on ")
        refused = self.who(made["secret"])
        self.assertEqual(refused.status, 401)
        self.assertRegex(refused.json["message"], "^this token expired on ")
        self.assertEqual(self.listed()[made["token"]["id"]]["state"], "expired")
        self.assertEqual(self.who(done["secret"]).status, 200)

    def test_idempotency(self):
        key = {"Idempotency-Key": "add-1"}
        first = self.add(label="x", headers=key)
        again = self.add(label="x", headers=key, status=200)
        self.assertEqual(again["token"]["id"], first["token"]["id"])
        self.assertNotIn("secret", again)
        self.assertIn("rotate", again["message"])
        self.assertEqual(self.who(first["secret"]).status, 200)
        answer = self.ask("POST", ROUTE, self.broker.admin, {"owner": "carol@example.com"}, key)
        self.assertEqual((answer.status, answer.error), (409, "idempotency_key_reused"), answer)
        key = {"Idempotency-Key": "rotate-1"}
        done = self.rotate(first["token"]["id"], headers=key)
        again = self.rotate(first["token"]["id"], headers=key, status=200)
        self.assertEqual(again["token"]["id"], done["token"]["id"])
        self.assertNotIn("secret", again)
        # Many at once make one.
        def race(_):
            return self.ask("POST", ROUTE, self.broker.admin, {"owner": "many"},
                            {"Idempotency-Key": "race"})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(race, range(16)))
        self.assertEqual(sorted(a.status for a in answers), [200] * 15 + [201])
        self.assertEqual(len({a.json["token"]["id"] for a in answers}), 1)

    def test_last_use(self):
        made = self.add()
        self.assertEqual(self.who(made["secret"]).status, 200)
        used = until(lambda: self.listed()[made["token"]["id"]].get("lastUsedAt"))
        self.assertLess(abs(self.seconds(made["token"]["createdAt"], used)), 60)
        self.assertIn(used[:16] + "Z", self.tool("list").stdout)

    def test_log(self):
        made = self.add(label="audit")
        done = self.rotate(made["token"]["id"], graceSeconds=0)
        self.revoke(done["token"]["id"])
        log = self.broker.log()
        for word, ident in (("made", made["token"]["id"]), ("rotated", done["token"]["id"]),
                            ("revoked", done["token"]["id"])):
            self.assertRegex(log, "an admin %s a client token .*token=%s .*by=root@example.com" %
                             (word, ident))
        for text in (made["secret"], done["secret"]):
            self.assertNotIn(text, log)
            self.assertNotIn(text[21:], log)

    @sqlite_only("it reads the file")
    def test_secrets_are_not_stored(self):
        made = self.add()
        for name in ("store", "store-wal"):
            with open(self.broker.home + "/" + name, "rb") as file:
                text = file.read()
            self.assertNotIn(made["secret"][21:].encode(), text)

    @staticmethod
    def seconds(since, until_):
        def ms(text):
            return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        return round(ms(until_) - ms(since))


class Cli(TokenCase):
    def test_round(self):
        said = self.broker.cli("token", "add", "--owner", "dave", "--role", "admin", "--label", "cli",
                               "--expires", "90d")
        text = re.search("(?m)^lsr_[0-9a-f]{16}_.{43}$", said).group()
        ident = text[4:20]
        self.assertIn("will not be shown again", said)
        self.assertRegex(self.broker.cli("token", token=text), r"(?m)^%s +valid +admin +dave " % ident)
        said = self.broker.cli("token", "rotate", ident, "--grace", "2h", token=text)
        new = re.search("(?m)^lsr_[0-9a-f]{16}_.{43}$", said).group()
        self.assertIn("token %s, which it replaces, is valid until " % ident, said)
        # The whole token is taken, too.
        said = self.broker.cli("token", "revoke", text, token=new)
        self.assertIn("token %s of dave: revoked" % ident, said)
        self.assertEqual(self.who(text).status, 401)
        self.assertNotIn(ident, self.broker.cli("token", "list"))
        self.assertRegex(self.broker.cli("token", "list", "--all"), r"(?m)^%s +revoked " % ident)
        self.broker.cli("token", "list", token=self.broker.alice, code=4)
        for words in (("add",), ("revoke",), ("drop", "x"), ("list", "--owner", "x"),
                      ("rotate", "x", "--grace", "long"), ("add", "--owner", "a", "--grace", "1h")):
            self.broker.cli("token", *words, code=2)

    def test_tool(self):
        text = self.tool("add", "--owner", "erin", "--label", "a build").stdout.strip()
        self.assertRegex(self.tool("list").stdout, r"(?m)^%s  valid .*erin @ default  \(a build\)$" %
                         text[4:20])
        done = self.tool("rotate", text[4:20], "--grace", "0")
        new = done.stdout.strip()
        self.assertIn("Token %s is revoked." % text[4:20], done.stderr)
        until(lambda: self.who(text).status == 401)
        until(lambda: self.who(new).status == 200)
        self.assertIn("its successor is " + new[4:20], self.tool("rotate", text[4:20], code=2).stderr)
        self.tool("rotate", new, "--grace", "1h")
        self.assertEqual(self.listed()[new[4:20]]["label"], "a build")


class LastAdmin(TokenCase):
    """Each broker has one admin token at first."""

    def test_last_admin(self):
        ident = self.broker.admin[4:20]
        answer = self.revoke(ident)
        self.assertEqual((answer.status, answer.error), (409, "last_admin_token"), answer)
        # One that ends soon is no other.
        self.add(role="admin", expiresInSeconds=3600)
        self.assertEqual(self.revoke(ident).error, "last_admin_token")
        # In its grace, the old one ends soon, too.
        done = self.rotate(ident)
        self.assertEqual(self.revoke(done["token"]["id"], done["secret"]).error, "last_admin_token")
        self.assertEqual(self.revoke(ident, done["secret"]).status, 200)
        self.broker.admin = done["secret"]
        # Two who remove each other: one stays.
        other = self.add(role="admin")
        def race(pair):
            return self.revoke(pair[0], pair[1])
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(race, [(other["token"]["id"], done["secret"]),
                                           (done["token"]["id"], other["secret"])]))
        self.assertIn(200, [a.status for a in answers])
        left = [t for t in (other["secret"], done["secret"]) if self.who(t).status == 200]
        self.assertEqual(len(left), 1)
        self.broker.admin = left[0]


class Many(TokenCase):
    MOST = 100000
    DAY_MS = 86400000

    def sql(self, text):
        """Runs a statement in the database of the daemon; returns the first number of its result."""
        with open(self.broker.home + "/conf", encoding="ascii") as file:
            url = re.search("^url = (.*)$", file.read(), re.M)
        if url:
            done = subprocess.run(["psql", "-qXAt", url.group(1), "-c", text], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            return int(done) if done.strip() else None
        store = sqlite3.connect(self.broker.home + "/store", timeout=20)
        with store:
            row = store.execute(text).fetchone()
        store.close()
        return row[0] if row else None

    def insert(self, first, count, expires_ms):
        ident, digest = (("lpad(i::text, 16, '0')", "decode(repeat('00', 32), 'hex')")
                         if is_postgresql() else ("printf('%016d', i)", "zeroblob(32)"))
        self.sql("WITH RECURSIVE c(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
                 " INSERT INTO token(id, hash, owner, org, role, created_ms, expires_ms,"
                 " revoked_ms, changed) SELECT %s, %s, 'many', 'many', 0, 1, %d, 0, 1 + (SELECT"
                 " number FROM meta WHERE key = 'token_epoch') FROM c" % (
                     first, first + count - 1, ident, digest, expires_ms))
        self.sql("UPDATE meta SET number = number + 1 WHERE key = 'token_epoch'")

    def count(self):
        return self.sql("SELECT count(*) FROM token")

    def test_most(self):
        """Those that ended long ago make room; others do not, and the newest is known."""
        now_ms = int(time.time() * 1000)
        had = self.count()
        self.insert(1, 1500, now_ms - 91 * self.DAY_MS)
        self.insert(1501, self.MOST - 1500, now_ms - 89 * self.DAY_MS)
        made = self.add()
        self.assertEqual(self.who(made["secret"]).status, 200)
        self.assertEqual(self.count(), self.MOST + had - 1000 + 1)
        self.assertEqual(self.revoke(made["token"]["id"]).status, 200)
        self.assertEqual(self.who(made["secret"]).status, 401)
        made = self.add()
        self.assertEqual(self.count(), self.MOST + had - 1500 + 2)
        self.insert(self.MOST + 1, self.MOST - self.count(), 0)
        # None of them is gone, and nothing more is added.
        refused = self.add(status=409)
        self.assertEqual(refused["error"], "too_many_tokens")
        self.assertIn("expiry", refused["message"])
        self.assertEqual(self.rotate(made["token"]["id"], 409)["error"], "too_many_tokens")
        tool = self.tool("add", "--owner", "dave@example.com", code=2)
        self.assertEqual(tool.stdout, "")
        self.assertIn("there are 100000 tokens", tool.stderr)
        self.assertEqual(self.count(), self.MOST)
        for secret in (made["secret"], self.broker.admin, self.broker.alice):
            self.assertEqual(self.who(secret).status, 200)
        self.assertEqual(self.revoke(made["token"]["id"]).status, 200)
        self.assertEqual(self.who(made["secret"]).status, 401)


class Crashes(TokenCase):
    def test_kill(self):
        """What was answered is there after a kill -9; the last use, too, once it was written."""
        made = self.add(label="kept")
        self.who(made["secret"])
        until(lambda: self.listed()[made["token"]["id"]].get("lastUsedAt"))
        done = self.rotate(made["token"]["id"], graceSeconds=3600)
        gone = self.add()
        self.revoke(gone["token"]["id"])
        before = self.listed()
        self.broker.kill(signal.SIGKILL)
        self.broker.start()
        after = self.listed()
        for ident in (made["token"]["id"], gone["token"]["id"]):
            self.assertEqual(after[ident], before[ident])
        self.assertEqual(self.who(done["secret"]).status, 200)
        self.assertEqual(self.who(gone["secret"]).status, 401)
        # A reload keeps what is known of them.
        self.broker.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.who(made["secret"]).status, 200)

    def test_a_stop_writes_uses(self):
        made = self.add()
        self.who(made["secret"])
        self.broker.kill(signal.SIGTERM)
        self.broker.start()
        self.assertIn("lastUsedAt", self.listed()[made["token"]["id"]])


@unittest.skipUnless(is_postgresql(), "several daemons need PostgreSQL")
class TwoDaemons(TokenCase):
    def setUp(self):
        """Another daemon on the same database, with a folder of its own."""
        home = self.broker.home + "/second"
        os.mkdir(home, 0o700)
        with open(self.broker.home + "/conf", encoding="ascii") as file:
            text = file.read()
        with open(home + "/conf", "w", encoding="ascii") as file:
            file.write(text.replace("state_dir = " + self.broker.home, "state_dir = " + home))
        with open(home + "/log", "wb") as log:
            self.second = subprocess.Popen([self.broker.lessord, "--config", home + "/conf",
                                            "--port-file", home + "/port"], stderr=log)
        self.addCleanup(self.second.wait, 60)
        self.addCleanup(self.second.terminate)
        self.port = wait_for(home + "/port", self.second)

    def there(self, token):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        answer = self.ask("GET", "/v1/whoami", token, connection=connection)
        connection.close()
        return answer

    def test_ends_everywhere(self):
        made = self.add()
        # A new token is good at once, everywhere.
        self.assertEqual(self.there(made["secret"]).status, 200)
        socket = Control(self.port, made["secret"])
        self.addCleanup(socket.close)
        self.hello(socket)
        began = time.monotonic()
        self.assertEqual(self.revoke(made["token"]["id"]).status, 200)
        self.ends(socket, "this token was revoked on ")
        until(lambda: self.there(made["secret"]).status == 401)
        print("# ended on the other daemon after %.2f s" % (time.monotonic() - began))
        # Its use there is known here.
        done = self.add()
        self.there(done["secret"])
        until(lambda: self.listed()[done["token"]["id"]].get("lastUsedAt"))


if __name__ == "__main__":
    unittest.main()
