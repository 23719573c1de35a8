#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Inputs that must be rejected, sent byte for byte (rows of the hostile-input list)."""

import json
import socket
import time
import unittest

from harness import KEY, BrokerCase, cli_body, until


class Hostile(BrokerCase):
    # All failures here deliberately come from one address; the limit has its own test.
    def raw(self, text, token=True, body=b"", fields=""):
        head = text + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        if token:
            head += "Authorization: Bearer %s\r\n" % self.broker.alice
        if body:
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        elif text.startswith("POST"):
            head += "Content-Length: 0\r\n"
        data = (head + fields + "\r\n").encode("latin-1") + body
        with socket.create_connection(("127.0.0.1", self.broker.port), 10) as sock:
            sock.sendall(data)
            answer = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                answer += part
        return int(answer.split(b" ", 2)[1]), answer

    def test_b100_to_b106_paths(self):
        for path in ("/v1/leases/../admin/leases", "/v1//leases", "/v1/./leases", "/v1/leases/",
                     "/V1/LEASES", "/v1/leases/cbx_%30123456789a", "/%2e%2e/", "/v1/leases/%5c",
                     "/v1/leases/x;jsessionid=1", "/a" * 300):
            self.assertEqual(self.raw("GET " + path)[0], 404, path)
        for path in ("/v1/leases/%00", "/v1/leases/%0d%0aX:1", "/v1/leases/%zz", "/v1/leases/%",
                     "/v1/leases/%2", "/v1/leases/%c0%ae", "/v1/leases/\\"):
            self.assertEqual(self.raw("GET " + path)[0], 400, path)
        self.assertEqual(self.raw("GET /v1/leases?x=1")[0], 200)
        self.assertEqual(self.raw("GET /v1/leases?limit=1&limit=2")[0], 400)

    def test_b111_b112_browsers(self):
        evil = "Origin: https://evil\r\n"
        status, answer = self.raw("OPTIONS /v1/leases", token=False, fields=evil)
        self.assertEqual(status, 405)
        self.assertNotIn(b"access-control", answer.lower())
        self.assertIn(b"Allow: GET, HEAD, POST", answer)
        self.assertEqual(self.raw("POST /v1/leases", body=b"{}", fields=evil)[0], 403)

    def test_h6_a_release_refuses_what_it_does_not_know(self):
        lease = self.create()
        path = "/v1/leases/%s/release" % lease["id"]
        for body in ({"keep": True}, {"retain": True}, {"noDelete": True}, {"DELETE": False}):
            answer = self.ask("POST", path, self.broker.alice, body)
            self.error(answer, 400, "unknown_member")
            self.assertIn(next(iter(body)), answer.json["message"])
            self.assertIn("delete, reason, retainUntil, expectedProvider",
                          answer.json["message"])
        for body in ({"delete": None}, {"expectedProvider": None}):
            self.error(self.ask("POST", path, self.broker.alice, body), 400, "invalid_field")
        self.assertEqual(self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice)
                         .lease["state"], "active")
        self.release(lease)

    def test_h8_idle_uploads_hold_up_nobody_else(self):
        mine, theirs = ("/v1/runs/%s/finish" % self.ask("POST", "/v1/runs", token, {})
                        .json["run"]["id"] for token in (self.broker.alice, self.broker.bob))
        head = "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n" \
               "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        idle = []
        try:
            for path, count in ((theirs, 10), ("/v1/runs/run_0123456789ab/finish", 10),
                                (mine, 8)):
                for _ in range(count):
                    sock = socket.create_connection(("127.0.0.1", self.broker.port), 10)
                    idle.append(sock)
                    sock.sendall((head % (path, self.broker.alice)).encode())
                    if path != mine:
                        self.assertIn(b" 404 ", sock.recv(65536))

            def is_full():
                answer = self.ask("POST", mine, self.broker.alice, {"exitCode": 0})
                return answer if answer.status == 503 else None
            answer = until(is_full)
            self.assertEqual((answer.error, answer.headers["retry-after"]), ("busy", "2"))
            answer = self.ask("POST", theirs, self.broker.bob, {"exitCode": 0})
            self.assertEqual(answer.status, 200, answer)
        finally:
            for sock in idle:
                sock.close()

    def test_b120_to_b136_bodies(self):
        rows = [b"", b" ", b"1", b'"x"', b"null", b"[]", b"{}{}", b"{} x", b'{"a":1,}', b"{'a':1}",
                b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b'{"a":9223372036854775808}',
                b'{"a":' + b"9" * 60000 + b"}", b'{"a":' * 33 + b"1" + b"}" * 33,
                b"[" * 60000, b'{"a":' * 12000, b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}',
                b'{"a":"\\u0000"}', b'{"a":"\\ud800"}', b'{"a":"\n"}', b'{"a":"\x00"}',
                b'{"' + b"k" * 60000 + b'":1}', b'{"a":"\xc3"}',
                b"{" + b",".join(b'"k%d":1' % i for i in range(5000)) + b"}"]
        for row in rows:
            status, answer = self.raw("POST /v1/leases", body=row) if row else \
                self.raw("POST /v1/leases")
            self.assertEqual(status, 400, (row[:40], answer[-200:]))
            self.assertNotIn(row[:20] if len(row) > 30 else b"\x00", answer)

    def test_b125_types_name_their_field(self):
        for field, value in (("ttlSeconds", "5.0"), ("ttlSeconds", "5e0"), ("ttlSeconds", "true"),
                             ("ttlSeconds", '"5"'), ("sshPort", "22"), ("keep", "1"),
                             ("slug", "{}"), ("sshFallbackPorts", '"22"'), ("desktop", '"no"')):
            body = '{"sshPublicKey":"%s","%s":%s}' % (KEY, field, value)
            status, answer = self.raw("POST /v1/leases", body=body.encode())
            self.assertEqual(status, 400, answer)
            self.assertIn(field.encode(), answer)

    def test_b131_the_client_sets_nothing_of_ours(self):
        lease = self.create(admin=True, owner="x", org="y", state="released", cloudID=1,
                            epoch=9, generation=9, host="h", cleanup={"state": "done"})
        self.assertEqual((lease["owner"], lease["org"], lease["state"]),
                         ("alice@example.com", "acme", "active"))
        self.release(lease)

    def test_b135_a_release_that_does_not_parse_releases_nothing(self):
        lease = self.create()
        for body in (b'{"delete":tru', b"{", b"[]", b'{"delete":"false"}', b'{"delete":0}'):
            self.assertEqual(self.raw("POST /v1/leases/%s/release" % lease["id"], body=body)[0],
                             400)
        self.assertEqual(self.raw("POST /v1/leases/%s/release" % lease["id"], body=b"",
                                  fields="Content-Type: text/plain\r\n")[0], 415)
        got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice)
        self.assertEqual(got.lease["state"], "active")
        self.release(lease)

    def test_b180_to_b187_fields(self):
        for changes in ({"slug": "' OR 1=1--"}, {"class": "\"; DROP TABLE lease;--"},
                        {"profile": "%"}, {"serverType": "../"}, {"location": "fsn1\r\nX:"},
                        {"image": "http://169.254.169.254/"}, {"sshUser": "root"},
                        {"sshUser": "$(id)"}, {"workRoot": "../../"}, {"workRoot": "/etc"},
                        {"sshPublicKey": KEY + "\nruncmd:\n- id"},
                        {"sshPublicKey": "-----BEGIN OPENSSH PRIVATE KEY-----"},
                        {"sshPort": "70000"}, {"sshFallbackPorts": ["22;id"]},
                        {"location": "hel1", "locationExplicit": True},
                        {"image": "fedora-40", "imageExplicit": True}, {"architecture": "arm64"},
                        {"locationExplicit": "true"}, {"desktop": True}):
            answer = self.ask("POST", "/v1/leases", self.broker.alice, cli_body(**changes))
            self.assertEqual(answer.status, 400, (changes, answer))
        self.assertNotIn("PRIVATE KEY", self.broker.log())

    def test_b144_a_token_elsewhere_is_none(self):
        token = self.broker.alice
        for text, fields in (("GET /v1/whoami?access_token=" + token, ""),
                             ("GET /v1/whoami", "Cookie: token=%s\r\n" % token),
                             ("GET /v1/whoami", "X-Api-Key: %s\r\n" % token),
                             ("GET /v1/whoami", "Proxy-Authorization: Bearer %s\r\n" % token),
                             ("GET /v1/whoami", "Authorization: Basic %s\r\n" % token)):
            self.assertIn(self.raw(text, token=False, fields=fields)[0], (401, 429))
        self.assertNotIn(token, self.broker.log())


    def test_h9_refusals_are_counted_and_not_logged(self):
        def refusals(status):
            return self.broker.metric('lessor_api_refusals_total{status="%d"}' % status) or 0
        before, log = [refusals(s) for s in (401, 403, 404)], self.broker.log()
        for _ in range(5):
            self.assertEqual(self.ask("GET", "/v1/pool", self.broker.alice).status, 403)
            self.assertEqual(self.ask("GET", "/v1/nothing", self.broker.alice).status, 404)
            self.assertEqual(self.ask("POST", "/v1/nothing", body={}).status, 404)
        self.assertIn(self.ask("GET", "/v1/whoami").status, (401, 429))
        after = [refusals(s) for s in (401, 403, 404)]
        self.assertEqual([a - b for a, b in zip(after, before)][1:], [5, 10])
        self.assertEqual(self.broker.log(), log)

    def test_h10_a_method_of_no_route_needs_no_length(self):
        for method in ("PATCH", "OPTIONS", "PROPFIND"):
            status, answer = self.raw(method + " /v1/leases")
            self.assertEqual(status, 405, answer)
            self.assertIn(b"Allow: GET, HEAD, POST", answer)


class Waiting(BrokerCase):
    options = {"create_wait": "90s"}

    def test_h1_a_machine_may_need_longer_than_a_body(self):
        """The deadline of a request's body, 20 s, does not limit its answer."""
        self.broker.fault("s.create", "timing", 1, create_ms=2200000)
        since = time.monotonic()
        lease = self.create()
        self.assertGreater(time.monotonic() - since, 20)
        self.assertEqual(lease["state"], "active")
        self.release(lease)


class Tokens(BrokerCase):
    def test_b149_refusals_are_limited_and_a_valid_token_is_not(self):
        statuses = [self.ask("GET", "/v1/whoami", "x").status for _ in range(30)]
        self.assertEqual(statuses, [401] * 10 + [429] * 20)
        self.assertEqual(self.ask("GET", "/v1/whoami", self.broker.alice).status, 200)
        self.assertEqual(self.ask("GET", "/v1/health").status, 200)

    def test_b150_a_revoked_token_ends_in_a_broker_that_runs(self):
        def status():
            return self.ask("GET", "/v1/whoami", token).status
        token = self.broker.token("carol@example.com", "acme", "user")
        until(lambda: status() == 200)
        self.broker.revoke(token)
        until(lambda: status() in (401, 429))

    def test_no_token_is_in_the_database_or_the_log(self):
        self.ask("GET", "/v1/whoami", self.broker.alice)
        secret = self.broker.alice.encode()
        for name in ("store", "store-wal", "log"):
            try:
                with open(self.broker.home + "/" + name, "rb") as file:
                    self.assertNotIn(secret, file.read())
            except FileNotFoundError:
                pass


class Pipelines(BrokerCase):
    def test_answers_keep_the_order_of_the_requests(self):
        """A slow create, then reads: the create's response still comes first."""
        body = json.dumps(cli_body()).encode()
        auth = "Authorization: Bearer %s\r\n" % self.broker.alice
        data = ("POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\n%s"
                "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (auth, len(body))).encode() + body
        data += ("GET /v1/whoami HTTP/1.1\r\nHost: 127.0.0.1\r\n%sConnection: close\r\n\r\n"
                 % auth).encode()
        with socket.create_connection(("127.0.0.1", self.broker.port), 30) as sock:
            sock.sendall(data)
            answer = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                answer += part
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer[:200])
        self.assertIn(b"HTTP/1.1 200 ", answer)
        self.assertLess(answer.find(b'"lease":'), answer.find(b'"auth":'))


if __name__ == "__main__":
    unittest.main()
