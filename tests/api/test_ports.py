#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The ports that tests give to servers: nobody else gets one before its server starts."""

import os
import socket
import subprocess
import sys
import unittest

import ports

HERE = os.path.dirname(os.path.abspath(__file__))


def elsewhere(code):
    """What an expression is in another test program."""
    return subprocess.run([sys.executable, "-B", "-c", "import ports; print(%s)" % code], text=True,
                          stdout=subprocess.PIPE, check=True, cwd=HERE).stdout.strip()


class Ports(unittest.TestCase):

    def test_no_connection_gets_it(self):
        first, last = ports.ephemeral()
        if (first, last) == (ports.LOWEST, 65535):
            self.skipTest("the kernel gives all ports to connections")
        for _ in range(20):
            self.assertFalse(first <= ports.free_port() <= last)

    def test_no_test_program_gets_it(self):
        port = ports.free_port()
        self.assertNotIn(port, [ports.free_port() for _ in range(20)])
        self.assertEqual(elsewhere("ports.reserve(%d)" % port), "None")
        other = int(elsewhere("ports.free_port()"))
        # It has ended.
        with ports.reserve(other) as name:
            self.assertIsNotNone(name)

    def test_listeners(self):
        port = ports.free_port()
        for address in "127.0.0.1", "0.0.0.0":
            with socket.create_server((address, port)) as listener:
                self.assertFalse(ports.is_free(port))
                client = socket.create_connection(("127.0.0.1", port))
                server, _ = listener.accept()
            # The server's end waits in TIME_WAIT.
            server.close()
            self.assertEqual(client.recv(1), b"")
            client.close()
            self.assertTrue(ports.is_free(port))


if __name__ == "__main__":
    unittest.main()
