#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""More clients than places: silent, slow, idle and waiting ones lock nobody out.

Each class configures a small limit, so that a few hundred connections exceed it. What is checked
is who is served and who is closed, never how fast; tests/bench measures that."""

import http.client
import json
import os
import resource
import socket
import subprocess
import unittest

from harness import Answer, BrokerCase, cli_body, need, until

HALF = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "


def setUpModule():
    # The client's end of each connection is a descriptor of this process.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("127.0.0.1", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Pressure(BrokerCase):
    def setUp(self):
        self.sockets = []

    def tearDown(self):
        for sock in self.sockets:
            sock.close()

    def open(self, count, data=b"", source="127.0.0.1"):
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", self.broker.port), 60, (source, 0))
            self.sockets.append(sock)
            if data:
                sock.sendall(data)

    def idle(self, count):
        """Connections that have had an answer, without a token."""
        for _ in range(count):
            self.open(1, b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertIn(b" 200 ", self.sockets[-1].recv(65536))

    def places(self, client):
        return self.broker.metric('lessor_http_places{client="%s"}' % client)

    def evicted(self, client, reason):
        return self.broker.metric(
            'lessor_http_evicted_total{client="%s",reason="%s"}' % (client, reason))

    def check_served(self, known=None):
        """A new client over TCP, one with a token, one over the Unix socket, one that was known."""
        self.assertEqual(self.ask("GET", "/v1/health").status, 200)
        self.assertEqual(self.ask("GET", "/v1/whoami", self.broker.bob).status, 200)
        local = UnixConnection(self.broker.home + "/sock")
        local.request("GET", "/v1/whoami", headers={"Authorization": "Bearer " + self.broker.bob})
        self.assertEqual(Answer(local.getresponse()).status, 200)
        local.close()
        if known:
            answer = self.ask("GET", "/v1/whoami", self.broker.alice, connection=known)
            self.assertEqual(answer.status, 200)


class Few(Pressure):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # the path of the home is known only now
        cls.broker.edit("[server]\n", "[server]\nlisten = unix:%s/sock\nmax_connections = 128\n"
                        "allowed_hosts = lessor.example.com\n" % cls.broker.home)
        cls.broker.kill(15)
        cls.broker.start()

    def test_h2_silent_clients(self):
        known = self.broker.connect()
        self.ask("GET", "/v1/whoami", self.broker.alice, connection=known)
        self.open(400)
        self.check_served(known)
        self.assertGreater(self.evicted("unknown", "half_read"), 250)
        self.assertEqual(self.evicted("known", "idle"), 0)
        known.close()
        # 1/32 and 1 more are kept for the Unix socket, 1/4 for known clients
        self.assertLessEqual(self.places("unknown"), 128 - 5 - 32)

    def test_h3_slow_and_idle_clients(self):
        self.open(100, HALF)
        self.idle(200)
        self.open(100, HALF)
        self.check_served()
        self.assertGreater(self.evicted("unknown", "idle"), 0)

    def test_h3_a_body_needs_a_token(self):
        """Nobody without one can have the broker wait for a body."""
        self.open(1, b"POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n{")
        self.assertRegex(self.sockets[0].recv(65536), b" 401 | 429 ")

    def test_h3_one_address_pays_for_itself(self):
        self.open(20, HALF, "127.0.0.2")
        self.open(300, HALF, "127.0.0.3")
        self.check_served()
        for sock in self.sockets[:20]:
            sock.setblocking(False)
            with self.assertRaises(BlockingIOError):
                sock.recv(1)

    def test_h4_waiting_creates_of_one_owner(self):
        """They are answered early, as at the end of their wait, and nobody else waits for them."""
        self.broker.fault("s.create", "status", status=503)
        body = json.dumps(cli_body(leaseID=..., createAttemptID=..., slug=...)).encode()
        head = "POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n" \
               "Content-Type: application/json\r\nPrefer: wait=300\r\nContent-Length: %d\r\n\r\n"
        self.open(300, (head % (self.broker.alice, len(body))).encode() + body)
        self.check_served()
        until(lambda: self.broker.metric('lessor_api_early_answers_total{reason="room"}') > 0)
        answer = self.sockets[0].recv(65536)
        self.assertIn(b"HTTP/1.1 201 ", answer)
        self.assertIn(b"Connection: close\r\n", answer)
        self.assertIn(b'"state":"provisioning"', answer)
        self.broker.no_faults()

    def test_f9_a_foreign_host_is_logged_once(self):
        for _ in range(3):
            answer = self.ask("GET", "/v1/health", headers={"Host": "cloud.example.com:443"})
            self.error(answer, 421, "misdirected_request")
            self.assertNotIn("allowed_hosts", answer.json["message"])
        lines = [line for line in self.broker.log().splitlines() if "cloud.example.com" in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("allowed_hosts", lines[0])
        answer = self.ask("GET", "/v1/health", headers={"Host": "lessor.example.com"})
        self.assertEqual(answer.status, 200)

    def test_h10_a_method_of_no_route_needs_no_length(self):
        for method, path, status in (("POST", "/v1/whoami", b" 405 "), ("PUT", "/v1/pool", b" 405 "),
                                     ("PUT", "/v1/leases", b" 405 "), ("POST", "/x", b" 404 ")):
            self.open(1, b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" %
                      (method.encode(), path.encode()))
            answer = self.sockets[-1].recv(65536)
            self.assertIn(status, answer)
            self.assertEqual(b"Allow: GET" in answer, status == b" 405 ")
        self.open(1, b"POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                  b"\r\n" % self.broker.alice.encode())
        self.assertIn(b" 411 ", self.sockets[-1].recv(65536))


class Share(Pressure):
    options = {"server": "max_waiting = 64\nmax_waiting_per_owner = 16"}

    def test_h4_an_owner_has_a_share(self):
        self.broker.fault("s.create", "status", status=503)
        for token in (self.broker.bob, self.broker.alice):
            for _ in range(16 if token == self.broker.bob else 40):
                body = json.dumps(cli_body()).encode()
                self.open(1, b"POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                          b"%s\r\nContent-Type: application/json\r\nPrefer: wait=300\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (token.encode(), len(body), body))
        until(lambda: self.broker.metric('lessor_api_early_answers_total{reason="owner"}') == 24)
        self.assertIn(b" 201 ", self.sockets[16].recv(65536))
        self.sockets[0].setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.sockets[0].recv(1)
        self.broker.no_faults()


class FewDescriptors(Pressure):
    """Row H5: half-open clients leave the descriptors that workers need."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.broker.kill(15)
        # A shell lowers its own limits, hard and soft, and becomes the daemon.
        shell = os.path.join(cls.broker.home, "few")
        with open(shell, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\nulimit -n 256\nexec "%s" "$@"\n' % need("LESSORD"))
        os.chmod(shell, 0o700)
        cls.broker.lessord = shell
        cls.broker.edit("[server]\n", "[server]\nlisten = unix:%s/sock\n" % cls.broker.home)
        cls.broker.start()

    def test_h5_descriptors_are_kept(self):
        self.assertIn("connections instead of max_connections = 32768", self.broker.log())
        self.open(600)
        lease = self.create()
        self.check_served()
        self.assertEqual(self.release(lease)["state"], "released")
        self.assertEqual(self.broker.metric("lessor_http_accept_failed_total"), 0)


class Raised(Pressure):
    def test_h5_the_limit_is_raised(self):
        with open("/proc/%d/limits" % self.broker.process.pid, encoding="ascii") as file:
            limits = [line.split() for line in file if line.startswith("Max open files")][0]
        self.assertEqual(limits[3], limits[4])

    def test_h2_thousands_of_silent_clients(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < 8192:
            self.skipTest("too few descriptors")
        self.open(3000)
        self.assertEqual(self.ask("GET", "/v1/health").status, 200)
        # The connection of the question just asked may not be closed yet.
        until(lambda: self.places("unknown") == 3000)
        self.assertEqual(self.evicted("unknown", "half_read"), 0)

    def test_h5_the_check_knows_the_range(self):
        for line, text in (("max_connections = 10", "64"), ("max_waiting = 1", "16"),
                           ("max_waiting_per_owner = 0", "1")):
            self.broker.edit("[server]\n", "[server]\n" + line + "\n")
            done = subprocess.run([self.broker.lessord, "--check-config", "--config",
                                   self.broker.home + "/conf"], stderr=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, check=False)
            self.broker.edit("[server]\n" + line + "\n", "[server]\n")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(line.split()[0], done.stdout + done.stderr)
            self.assertIn(text, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
