# SPDX-License-Identifier: MIT
"""A client of GET /v1/events that reads the stream by its letter: lines, fields, empty lines."""

import json
import socket


class Ended(Exception):
    pass


class Stream:
    """One connection. `id` is what a client that reconnects sends."""

    def __init__(self, port, token, after=None, query="", method="GET", seconds=20, buffer=None):
        self.sock = socket.socket()
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.settimeout(seconds)
        self.sock.connect(("127.0.0.1", port))
        lines = ["%s /v1/events%s HTTP/1.1" % (method, query), "Host: 127.0.0.1:%d" % port]
        if token:
            lines.append("Authorization: Bearer " + token)
        if after is not None:
            lines.append("Last-Event-ID: " + after)
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        self.file = self.sock.makefile("rb")
        self.status = int(self.line().split()[1])
        self.headers, self.id, self.comments, self.retry = {}, after, 0, None
        while (line := self.line()):
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        self.rest = ""

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise Ended()
        return line.decode("utf-8").rstrip("\r\n")

    def text(self):
        """The next line of the stream, out of its chunks."""
        while "\n" not in self.rest:
            size = int(self.line(), 16)
            if not size:
                raise Ended()
            data = self.file.read(size)
            if len(data) < size or self.line():
                raise Ended()
            self.rest += data.decode("utf-8")
        line, self.rest = self.rest.split("\n", 1)
        return line

    def next(self):
        """The next event: its name and its data. Ended: the stream has ended."""
        name, data, number = "message", [], None
        while True:
            line = self.text()
            if not line:
                if data:
                    self.id = number if number is not None else self.id
                    return name, json.loads("\n".join(data))
                name, number = "message", None
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if not field:
                self.comments += 1
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                number = value
            elif field == "retry":
                self.retry = int(value)
            else:
                raise AssertionError("unknown field: " + line)

    def until(self, found):
        """Events of leases up to the first that is `found`; all of them."""
        events = []
        while True:
            name, data = self.next()
            assert name == "lease", (name, data)
            events.append(data)
            if found(data):
                return events

    def close(self):
        self.file.close()
        self.sock.close()


class Follower:
    """Follows over reconnects, as a client does, and keeps what it got."""

    def __init__(self, ports, token):
        self.ports, self.token, self.events, self.resets, self.connects = ports, token, [], 0, 0
        self.id, self.stream = None, None

    def step(self):
        """The next event, or a new connection. False: nobody answers at the moment."""
        try:
            if not self.stream:
                port = self.ports()[self.connects % len(self.ports())]
                self.connects += 1
                self.stream = Stream(port, self.token, self.id)
                if self.stream.status != 200:
                    raise Ended()
            name, data = self.stream.next()
        except (OSError, Ended, ValueError):
            if self.stream:
                self.stream.close()
            self.stream = None
            return False
        self.id = self.stream.id
        if name == "lease":
            self.events.append(data)
        self.resets += name == "reset"
        return True

    def close(self):
        if self.stream:
            self.stream.close()
