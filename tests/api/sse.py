# SPDX-License-Identifier: MIT
"""A client of GET /v1/events that reads the stream by its letter: lines, fields, empty lines."""

import json
import socket
import threading


class Ended(Exception):
    pass


class Stream:
    """One connection. `id` is what a client that reconnects sends."""

    def __init__(self, port, token, after=None, query="", method="GET", seconds=20, buffer=None):
        self.sock, self.file = socket.socket(), None
        try:
            self.open(port, token, after, query, method, seconds, buffer)
        except BaseException:
            self.close()
            raise

    def open(self, port, token, after, query, method, seconds, buffer):
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
        if self.file:
            self.file.close()
        self.sock.close()


class Follower(threading.Thread):
    """Follows over reconnects, as a client does, and keeps what it got. `ports`: whom to ask."""

    def __init__(self, ports, token):
        super().__init__(daemon=True)
        self.ports, self.token = ports, token
        self.events, self.resets, self.connects = [], 0, 0
        self.id, self.over = None, threading.Event()
        self.start()

    def run(self):
        asked = 0
        while not self.over.is_set():
            ports = self.ports()
            asked += 1
            try:
                stream = Stream(ports[asked % len(ports)], self.token, self.id, seconds=2)
            except (OSError, Ended, ValueError, IndexError):
                self.over.wait(0.05)    # it is being started
                continue
            try:
                self.read(stream)
            except (OSError, Ended, ValueError):
                pass        # it was killed, or had nothing to say for a while
            stream.close()

    def read(self, stream):
        if stream.status != 200:
            raise Ended()
        self.connects += 1
        while not self.over.is_set():
            name, data = stream.next()
            if name == "lease":
                self.events.append(data)
            self.resets += name == "reset"
            self.id = stream.id

    def close(self):
        self.over.set()
        self.join(20)
