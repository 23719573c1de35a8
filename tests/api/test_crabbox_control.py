#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The control WebSocket as the crabbox CLI uses it: heartbeats, following a run, and refusals."""

import base64
import hashlib
import json
import os
import secrets
import signal
import socket
import struct
import time
import unittest

import shapes
from harness import BrokerCase, new_id, until

SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
READ_LIMIT = 32768      # of the client's library


class Closed(Exception):
    pass


class Control:
    """A minimal RFC 6455 client: sends and receives text, and answers pings by itself."""

    def __init__(self, port, token, path="/v1/control", fields=()):
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1:%d" % port, "Connection: Upgrade",
                 "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key,
                 "X-Crabbox-Owner: somebody@else.example", *fields]
        if token:
            lines.append("Authorization: Bearer " + token)
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        self.head = head.decode("ascii")
        self.status = int(self.head.split()[1])
        self.code = None
        if self.status == 101:
            want = base64.b64encode(hashlib.sha1((key + SALT).encode()).digest()).decode("ascii")
            assert "Sec-WebSocket-Accept: " + want in self.head, self.head

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed()
        self.data += data

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        head = bytes([0x80 | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        else:
            head += struct.pack(">BH", 0x80 | 126, len(payload))
        self.sock.sendall(head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload)))

    def say(self, kind, **fields):
        self.frame(1, json.dumps(dict(fields, type=kind)).encode())

    def hear(self):
        """Returns the next message; raises Closed, with the code in self.code, at the end."""
        while True:
            while len(self.data) < 2:
                self.more()
            size, at = self.data[1], 2
            assert size < 128, "a server must not mask frames"
            if size == 126:
                while len(self.data) < 4:
                    self.more()
                size, at = struct.unpack(">H", self.data[2:4])[0], 4
            while len(self.data) < at + size:
                self.more()
            opcode, payload = self.data[0], self.data[at:at + size]
            self.data = self.data[at + size:]
            if opcode == 0x81:
                assert len(payload) < READ_LIMIT, len(payload)
                return json.loads(payload)
            if opcode == 0x89:
                self.frame(10, payload)
            elif opcode == 0x88:
                self.code = struct.unpack(">H", payload)[0] if payload else 0
                raise Closed()

    def close(self):
        self.sock.close()


class Sockets(BrokerCase):
    def control(self, who="alice"):
        control = Control(self.broker.port, getattr(self.broker, who))
        self.addCleanup(control.close)
        self.assertEqual(control.status, 101, control.head)
        hello = control.hear()
        self.assertEqual((hello["type"], hello["protocol"]), ("hello", 1))
        self.assertIs(type(hello["clientID"]), str)
        return control

    def new_token(self, owner):
        """A token that the broker has loaded: it checks for new ones once a second."""
        token = self.broker.token(owner, "acme", "user")
        until(lambda: self.ask("GET", "/v1/whoami", token).status == 200)
        return token

    def begin(self, token=None):
        answer = self.ask("POST", "/v1/runs", token or self.broker.alice, {"leaseID": ""})
        self.assertEqual(answer.status, 201, answer)
        return answer.json["run"]["id"]

    def admit(self):
        """With an id chosen by the client, as later clients do."""
        run = "run_" + secrets.token_hex(16)
        answer = self.ask("PUT", "/v1/runs/" + run, self.broker.alice, {"leaseID": ""})
        self.assertEqual(answer.status, 201, answer)
        return run

    def event(self, run, kind, **fields):
        answer = self.ask("POST", "/v1/runs/%s/events" % run, self.broker.alice,
                          dict(fields, type=kind))
        self.assertEqual(answer.status, 201, answer)

    def test_heartbeats(self):
        lease = self.create()
        control = self.control()
        control.say("heartbeat", leaseID=lease["id"], expectedProvider="hetzner",
                    idleTimeoutSeconds=2700, telemetry={"load1": 0.5})
        beat = control.hear()
        self.assertEqual((beat["type"], beat["leaseID"], beat["ok"]),
                         ("heartbeat", lease["id"], True))
        got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
        self.assertEqual((got["idleTimeoutSeconds"], got["telemetry"]["load1"]), (2700, 0.5))
        self.assertEqual(beat["expiresAt"], got["expiresAt"])
        # Any number of times; the idle timeout does not change.
        for _ in range(20):
            control.say("heartbeat", leaseID=lease["id"])
            self.assertIs(control.hear()["ok"], True)
        got = self.ask("GET", "/v1/leases/" + lease["id"], self.broker.alice).lease
        self.assertEqual(got["idleTimeoutSeconds"], 2700)
        for fields, error in (
                ({"leaseID": new_id()}, "not_found"), ({"leaseID": "?"}, "not_found"),
                ({}, "not_found"), ({"leaseID": 1}, "invalid_field"),
                ({"leaseID": lease["id"], "expectedProvider": "aws"},
                 "provider_identity_mismatch"),
                ({"leaseID": lease["id"], "idleTimeoutSeconds": -1}, "invalid_field"),
                ({"leaseID": lease["id"], "telemetry": {"load1": "x"}}, "invalid_telemetry")):
            control.say("heartbeat", **fields)
            beat = control.hear()
            self.assertEqual((beat["type"], beat["ok"], beat["error"]), ("heartbeat", False, error))
        # Leases of others, and leases shared with "manage": over HTTP only.
        self.ask("PUT", "/v1/leases/%s/share" % lease["id"], self.broker.alice,
                 {"users": {"bob@example.com": "manage"}})
        self.assertEqual(self.ask("POST", "/v1/leases/%s/heartbeat" % lease["id"],
                                  self.broker.bob, {}).status, 200)
        for who, error in (("bob", "not_found"), ("reader", "forbidden")):
            other = self.control(who)
            other.say("heartbeat", leaseID=lease["id"])
            self.assertEqual(other.hear()["error"], error)
        admin = self.control("admin")
        admin.say("heartbeat", leaseID=lease["id"])
        self.assertIs(admin.hear()["ok"], True)
        self.release(lease)
        control.say("heartbeat", leaseID=lease["id"])
        self.assertEqual(control.hear()["error"], "lease_ended")

    def test_following_a_run(self):
        for run in (self.begin(), self.admit()):
            with self.subTest(run=run):
                self.follow(run)

    def follow(self, run):
        for n in range(3):
            self.event(run, "stdout", data="line %d\n" % n)
        control = self.control()
        control.say("subscribe_run", runID=run, after=0, limit=100)
        page = control.hear()
        self.assertEqual((page["type"], page["runID"], page["nextSeq"]), ("run_events", run, 4))
        self.assertEqual(shapes.wrong(page["events"], [shapes.EVENT]), [])
        self.assertEqual([e["seq"] for e in page["events"]], [1, 2, 3, 4])
        control.say("ack", runID=run, seq=4)
        # Each new event as it arrives.
        for n in range(3):
            self.event(run, "stdout", data="more %d\n" % n)
            page = control.hear()
            self.assertEqual([e["data"] for e in page["events"]], ["more %d\n" % n])
        self.ask("POST", "/v1/runs/%s/finish" % run, self.broker.alice, {"exitCode": 0})
        self.assertEqual(control.hear()["events"][0]["type"], "command.finished")
        # Subscribing to the same run again starts where the client says.
        control.say("subscribe_run", runID=run, after=6)
        self.assertEqual([e["seq"] for e in control.hear()["events"]], [7, 8])
        control.say("ping")
        self.assertEqual(control.hear(), {"type": "pong"})

    def test_a_long_backlog_comes_in_small_messages(self):
        run = self.begin()
        connection = self.broker.connect()
        for n in range(150):
            self.ask("POST", "/v1/runs/%s/events" % run, self.broker.alice,
                     {"type": "stdout", "data": "%03d" % n + "x" * 3000}, connection=connection)
        connection.close()
        control = self.control()
        control.say("subscribe_run", runID=run, after=0, limit=100)
        seen = []
        while len(seen) < 151:
            page = control.hear()
            self.assertLessEqual(len(page["events"]), 100)
            seen += [e["seq"] for e in page["events"]]
        self.assertEqual(seen, list(range(1, 152)))

    def test_an_event_that_is_too_large_is_left_to_http(self):
        run = self.begin()
        self.event(run, "stdout", data="\x01" * 16000)
        control = self.control()
        control.say("subscribe_run", runID=run, after=0)
        self.assertEqual([e["seq"] for e in control.hear()["events"]], [1])
        error = control.hear()
        self.assertEqual((error["type"], error["code"]), ("error", "event_too_large"))
        # The subscription ends; the socket stays open.
        self.event(run, "stdout", data="small")
        control.say("ping")
        self.assertEqual(control.hear()["type"], "pong")

    def test_whose_runs(self):
        run = self.begin()
        for who, ok in (("alice", True), ("bob", False), ("reader", True), ("admin", True)):
            control = self.control(who)
            control.say("subscribe_run", runID=run)
            heard = control.hear()
            self.assertEqual(heard["type"], "run_events" if ok else "error", who)
        control = self.control()
        for bad in ("run_000000000000", "run_x", "", 1):
            control.say("subscribe_run", runID=bad)
            self.assertEqual(control.hear()["type"], "error")
        for n in range(17):
            control.say("subscribe_run", runID=self.begin())
            self.assertEqual(control.hear()["type"], "run_events" if n < 16 else "error")

    def test_what_is_no_message(self):
        control = self.control()
        for text, code in ((b"{", "invalid_json"), (b"[]", "invalid_json"),
                           (b'{"type":"x"}', "unknown_type"), (b"{}", "unknown_type"),
                           (b'{"type":1}', "unknown_type")):
            control.frame(1, text)
            error = control.hear()
            self.assertEqual((error["type"], error["code"]), ("error", code))
        for opcode, payload, code in ((2, b"x", 1003), (1, b"\xff", 1007), (3, b"", 1002)):
            control = self.control()
            control.frame(opcode, payload)
            with self.assertRaises(Closed):
                control.hear()
            self.assertEqual(control.code, code)

    def test_the_handshake(self):
        for token in (None, "lsr_0000000000000000_" + "A" * 43):
            control = Control(self.broker.port, token)
            self.assertEqual(control.status, 401)
            control.close()
        plain = self.ask("GET", "/v1/control", self.broker.alice)
        self.error(plain, 426, "websocket_required")
        self.assertEqual((plain.headers["upgrade"], plain.headers["sec-websocket-version"]),
                         ("websocket", "13"))
        control = Control(self.broker.port, self.broker.alice,
                          fields=["Origin: https://somewhere.example"])
        self.assertEqual(control.status, 403)
        control.close()
        # A query that is not known is ignored, as on every GET; it is no place for a token.
        control = Control(self.broker.port, self.broker.alice, "/v1/control?x=1")
        self.assertEqual(control.status, 101)
        control.close()

    def test_too_many_of_one_owner(self):
        token = self.new_token("many@example.com")
        controls = [Control(self.broker.port, token) for _ in range(33)]
        self.assertEqual([c.status for c in controls], [101] * 32 + [503])
        for control in controls:
            control.close()
        def opens():
            control = Control(self.broker.port, token)
            control.close()
            return control.status == 101
        until(opens)
        self.assertEqual(self.ask("GET", "/v1/whoami", self.broker.alice).status, 200)

    def test_a_revoked_token_closes_its_socket(self):
        token = self.new_token("gone@example.com")
        control = Control(self.broker.port, token)
        self.addCleanup(control.close)
        control.hear()
        self.broker.revoke(token)
        def is_closed():
            """The token is checked with every message."""
            control.say("ping")
            heard = control.hear()
            if heard["type"] == "pong":
                return False
            self.reason(heard)
            return True
        until(is_closed)
        with self.assertRaises(Closed):
            control.hear()
        self.assertEqual(control.code, 1008)

    def reason(self, heard):
        """Text 7: the last message says why, and when the token ended."""
        self.assertEqual((heard["type"], heard["code"]), ("error", "unauthorized"))
        self.assertRegex(heard["message"], "^this token was revoked on .* UTC; ")

    def test_h7_a_silent_socket_ends_with_its_token(self):
        token = self.new_token("silent@example.com")
        control = Control(self.broker.port, token)
        self.addCleanup(control.close)
        control.hear()
        self.broker.revoke(token)
        since = time.monotonic()
        self.reason(control.hear())
        with self.assertRaises(Closed):
            control.hear()
        self.assertEqual(control.code, 1008)
        self.assertLess(time.monotonic() - since, 5)    # 2 s, and a busy machine

    def test_a_client_that_leaves_while_its_heartbeat_is_stored(self):
        lease = self.create()
        for _ in range(20):
            control = self.control()
            for _ in range(5):
                control.say("heartbeat", leaseID=lease["id"])
            control.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            control.close()
        self.release(lease)


class End(BrokerCase):
    def test_the_broker_says_goodbye(self):
        control = Control(self.broker.port, self.broker.alice)
        control.hear()
        self.assertEqual(self.broker.kill(signal.SIGTERM), 0)
        with self.assertRaises(Closed):
            control.hear()
        self.assertEqual(control.code, 1001)
        control.close()
        self.broker.start()


if __name__ == "__main__":
    unittest.main()
