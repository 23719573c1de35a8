# SPDX-License-Identifier: MIT
"""Ports for the servers of tests that cannot choose one themselves and tell it.

A port that the kernel chose for a listener that is closed again is no server's: until the server
starts, any outgoing connection may get it, and then the server cannot have it. So these lie
outside the range from which the kernel takes the ports of connections. A server may leave one and
come back to it."""

import random
import socket

LOWEST = 12000
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"

taken = set()  # by this program


def ephemeral():
    """The first and the last port that the kernel gives to connections."""
    with open(RANGE, encoding="ascii") as file:
        first, last = file.read().split()
    return int(first), int(last)


def candidates():
    first, last = ephemeral()
    return (list(range(LOWEST, first)) or list(range(max(last + 1, LOWEST), 65536)) or
            list(range(LOWEST, 65536)))


def reserve(port):
    """Keeps the port from other test programs; None: one of them has it. Names like this one
    belong to the same network namespace as ports, and end with their process."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind("\0lessor-test-port-%d" % port)
        return name
    except OSError:
        name.close()
        return None


def is_free(port):
    """Whether a server could listen there, with SO_REUSEADDR as all servers here use it: ended
    connections do not matter."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            # A bound socket without a listener does not prevent another's bind.
            probe.listen(1)
            return True
        except OSError:
            return False


def free_port():
    """A port on 127.0.0.1 that nobody uses, and that no test program gets again."""
    found = candidates()
    random.SystemRandom().shuffle(found)
    for port in found:
        name = reserve(port) if port not in taken else None
        if name and is_free(port):
            taken.add(port)
            name.detach()  # open until this program ends
            return port
        if name:
            name.close()
    raise OSError("no port from %d to %d is free" % (min(found), max(found)))
