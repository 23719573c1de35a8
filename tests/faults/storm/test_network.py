#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The cables of a storm lose packets when they are pulled, in both directions and without a word.
77: network namespaces are not allowed here."""

import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import network  # noqa: E402
from proxies import Proxies  # noqa: E402


class Cables(unittest.TestCase):
    def setUp(self):
        self.network = network.Network()
        self.addCleanup(self.network.close)
        self.proxies = Proxies()
        self.addCleanup(self.proxies.close)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(20)
        self.addCleanup(self.server.close)

    def way(self, name):
        at = self.network.lay(name)
        return at[0], self.proxies.open(name, self.server.getsockname()[1], at=at)

    def connect(self, to):
        near = socket.create_connection(to, 20)
        self.addCleanup(near.close)
        far = self.server.accept()[0]
        self.addCleanup(far.close)
        far.settimeout(20)
        return near, far

    def test_pulled(self):
        one, two = self.way("one"), self.way("two")
        near, far = self.connect(one)
        near.sendall(b"a")
        self.assertEqual(far.recv(1), b"a")
        self.network.pull("one")
        with self.assertRaises(socket.timeout):
            socket.create_connection(one, 0.5)
        near.sendall(b"b")
        far.sendall(b"c")
        for end in (near, far):
            end.settimeout(0.5)
            with self.assertRaises(socket.timeout):
                end.recv(1)
            end.settimeout(20)
        other, there = self.connect(two)
        other.sendall(b"d")
        self.assertEqual(there.recv(1), b"d")
        self.network.put_back("one")
        self.assertEqual((far.recv(1), near.recv(1)), (b"b", b"c"))


if __name__ == "__main__":
    network.enter(sys.argv)
    if not network.is_entered():
        print("DID NOT RUN: it takes root, and a kernel with network namespaces and tc")
        sys.exit(77)
    unittest.main()
