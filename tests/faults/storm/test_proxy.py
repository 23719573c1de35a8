#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The proxies of a storm, with the frames of PostgreSQL's protocol but without PostgreSQL."""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proxy import Batches  # noqa: E402
from proxies import Proxies  # noqa: E402

STARTUP = struct.pack("!II", 8, 3 << 16)
SSL = struct.pack("!II", 8, 80877103)


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def statement(text):
    return message(b"P", text) + message(b"B") + message(b"E")


SYNC = message(b"S")
WRITE = statement(b"fence") + statement(b"change") + SYNC
READ = statement(b"select") + SYNC


class Frames(unittest.TestCase):
    def test_however_it_is_divided(self):
        sent = SSL + STARTUP + READ + WRITE + message(b"Q", b"x") + READ
        expected = [(SSL, False), (STARTUP, False), (READ, False), (WRITE, True),
                    (message(b"Q", b"x"), False), (READ, False)]
        for size in (1, 2, 7, len(sent)):
            with self.subTest(size=size):
                batches, found = Batches(), []
                for at in range(0, len(sent), size):
                    found += batches.take(sent[at:at + size])
                self.assertEqual(found, expected)
                self.assertEqual((batches.buffer, batches.batch), (b"", b""))

    def test_a_flush_within_a_batch(self):
        batches, flush = Batches(), message(b"H")
        sent = STARTUP + statement(b"fence") + flush + statement(b"change") + SYNC
        self.assertEqual([p for p in batches.take(sent)][1:], [
            (statement(b"fence") + flush, False), (statement(b"change") + SYNC, True)])


class Wire(unittest.TestCase):
    def setUp(self):
        self.proxies = Proxies()
        self.addCleanup(self.proxies.close)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(20)
        self.addCleanup(self.server.close)
        self.port = self.proxies.open("x", self.server.getsockname()[1], True)

    def pair(self):
        """A connection, at both ends, that has been started."""
        client = socket.create_connection(("127.0.0.1", self.port), 20)
        client.sendall(STARTUP)
        server, _ = self.server.accept()
        server.settimeout(20)
        self.addCleanup(client.close)
        self.addCleanup(server.close)
        self.take(server, STARTUP)
        return client, server

    def take(self, end, expected):
        got = b""
        while len(got) < len(expected):
            more = end.recv(len(expected) - len(got))
            self.assertTrue(more, got)
            got += more
        self.assertEqual(got, expected)

    def ends(self, end):
        try:
            self.assertEqual(end.recv(1), b"")
        except ConnectionResetError:
            pass

    def hits(self):
        return self.proxies.do("hits", "x")["hits"]

    def test_it_passes(self):
        client, server = self.pair()
        client.sendall(WRITE[:9])
        client.sendall(WRITE[9:])
        self.take(server, WRITE)
        server.sendall(b"answer")
        self.take(client, b"answer")
        server.close()
        self.ends(client)

    def test_answers_are_late_and_not_slow(self):
        self.proxies.do("delay", "x", ms=200)
        client, server = self.pair()
        client.sendall(READ)
        self.take(server, READ)
        begun = time.monotonic()
        for n in range(10):
            server.sendall(b"%d" % n)
        client.settimeout(20)
        self.take(client, b"0123456789")
        # One after the other they would take ten times as long.
        self.assertTrue(0.2 <= time.monotonic() - begun < 2)
        server.sendall(b"end")
        server.close()
        self.take(client, b"end")
        self.ends(client)

    def test_it_counts(self):
        client, server = self.pair()
        sent = READ + WRITE + statement(b"fence") + message(b"H") + WRITE
        client.sendall(sent)
        self.take(server, sent)
        self.assertEqual(self.proxies.do("count", "x"), {"batches": 2, "flushes": 1})

    def test_the_answer_is_cut(self):
        client, server = self.pair()
        self.proxies.do("commit", "x", how="answer")
        client.sendall(READ)
        self.take(server, READ)
        client.sendall(WRITE)
        self.ends(client)
        self.take(server, WRITE)
        self.ends(server)
        self.assertEqual(self.hits(), 1)

    def test_the_batch_is_lost(self):
        client, server = self.pair()
        self.proxies.do("commit", "x", how="lost")
        client.sendall(WRITE)
        self.ends(client)
        self.ends(server)

    def test_the_batch_is_late(self):
        client, server = self.pair()
        self.proxies.do("commit", "x", how="late", ms=300)
        client.sendall(WRITE)
        self.ends(client)
        server.settimeout(0.1)
        self.assertRaises(socket.timeout, server.recv, 1)
        # Others are not affected.
        other, its = self.pair()
        other.sendall(WRITE)
        self.take(its, WRITE)
        server.settimeout(20)
        self.take(server, WRITE)
        self.ends(server)

    def test_silence(self):
        client, server = self.pair()
        self.proxies.do("drop", "x")
        client.sendall(READ)
        server.sendall(b"answer")
        late = socket.create_connection(("127.0.0.1", self.port), 20)
        self.addCleanup(late.close)
        for end in (client, server):
            end.settimeout(0.2)
            self.assertRaises(socket.timeout, end.recv, 1)
            end.settimeout(20)
        self.proxies.do("pass", "x")
        self.take(server, READ)
        self.take(client, b"answer")
        self.proxies.do("cut", "x")
        self.ends(client)
        self.ends(server)

    def test_another_address(self):
        path = tempfile.mkdtemp() + "/socket"
        self.addCleanup(subprocess.run, ["rm", "-r", os.path.dirname(path)], check=True)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            other.listen()
            self.proxies.do("open", "x", to=path)
            client = socket.create_connection(("127.0.0.1", self.port), 20)
            self.addCleanup(client.close)
            client.sendall(STARTUP)
            server, _ = other.accept()
            self.addCleanup(server.close)
            self.take(server, STARTUP)


if __name__ == "__main__":
    unittest.main()
