# SPDX-License-Identifier: MIT
"""How soon a new client is served while slow and idle clients without a token hold connections,
and how much memory each of those costs."""
import http.client
import multiprocessing
import os
import resource
import selectors
import socket
import ssl
import subprocess
import time

from table import figures, line
from world import World, memory_mib, wait_for

SLOW, IDLE, NEW = 1000, 10000, 1000
# Connections of a kind whose memory is measured.
SAMPLE = 4000
HEAD = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: slow/1.0\r\nAccept: */*\r\nX-Slow: "
WHOLE = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
# In seconds; how long a phase of reading may take at most, which is the broker's own limit.
DRIP_MOST = 20


class PressedWorld(World):
    """With the configuration of a service: as many connections as it takes by default."""

    def __init__(self, is_tls=False):
        self.is_tls = is_tls
        super().__init__()

    def write_config(self, keys, poll):
        super().write_config(keys, poll)
        if not self.is_tls:
            return
        files = [os.path.join(self.folder, name) for name in ("key.pem", "cert.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", files[0], "-out", files[1],
                        "-days", "2", "-subj", "/CN=127.0.0.1"], check=True,
                       stderr=subprocess.DEVNULL)
        with open(self.config, encoding="ascii") as f:
            text = f.read()
        with open(self.config, "w", encoding="ascii") as f:
            f.write(text.replace("[server]\n", "[server]\ntls_key = %s\ntls_certificate = %s\n" %
                                 tuple(files)))

    def context(self):
        return ssl._create_unverified_context() if self.is_tls else None

    def connect(self):
        if self.is_tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                               context=self.context())
        return super().connect()


def raise_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def plain(port):
    sock = socket.create_connection(("127.0.0.1", port), 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def idle(port, context):
    """A connection that has had an answer."""
    sock = plain(port)
    if context:
        sock = context.wrap_socket(sock)
    sock.sendall(WHOLE)
    if b" 200 " not in sock.recv(4096):
        raise SystemExit("bench: no answer")
    return sock


class Drips:
    """Slow clients: one byte of a head, or of a TLS handshake, in a second. One that is closed is
    replaced; `longest` is how long one has lived."""

    def __init__(self, port, count, is_tls):
        self.port, self.is_tls = port, is_tls
        self.selector = selectors.DefaultSelector()
        self.closed, self.longest = 0, 0
        for _ in range(count):
            self.open()

    def open(self):
        sock = plain(self.port)
        # a record of 512 bytes that contains the beginning of a handshake
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" if self.is_tls else HEAD)
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ, time.monotonic())

    def close(self, sock, since):
        self.selector.unregister(sock)
        sock.close()
        self.closed += 1
        self.longest = max(self.longest, time.monotonic() - since)

    def turn(self):
        """A byte of each, spread over a second."""
        keys = list(self.selector.get_map().values())
        begun = time.monotonic()
        for n, key in enumerate(keys):
            try:
                key.fileobj.send(b"a")
            except BlockingIOError:
                pass
            except OSError:
                pass
            if n % 50 == 49:
                time.sleep(max(0, begun + (n + 1) / len(keys) - time.monotonic()))
        for key, _ in self.selector.select(0):
            self.close(key.fileobj, key.data)
            self.open()


def press(pipe, port, context):
    """The process of the slow and idle clients."""
    raise_descriptors()
    held = [idle(port, context) for _ in range(IDLE)]
    drips = Drips(port, SLOW, context is not None)
    pipe.send(len(held))
    while not pipe.poll():
        drips.turn()
    pipe.send((drips.longest, drips.closed))


def percentile(times, share):
    return sorted(times)[int(len(times) * share)] * 1000


def serve_new(world):
    """Connects, asks, and closes, again and again; the times of all in ms: median and p99."""
    times = []
    for _ in range(NEW):
        begun = time.monotonic()
        connection = world.connect()
        connection.request("GET", "/v1/health")
        if connection.getresponse().status != 200:
            raise SystemExit("bench: a new client was not served")
        connection.close()
        times.append(time.monotonic() - begun)
    return percentile(times, 0.5), percentile(times, 0.99)


def measure_time(is_tls):
    world = PressedWorld(is_tls)
    kind = "TLS" if is_tls else "plain"
    alone = serve_new(world)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=press, args=(theirs, world.port, world.context()),
                                      daemon=True)
    process.start()
    wait_for(ours.poll, 300, 0.05)
    ours.recv()
    begun = time.monotonic()
    pressed = serve_new(world)
    # long enough for each drip to have ended once
    while time.monotonic() - begun < DRIP_MOST + 5:
        pressed = max(pressed, serve_new(world), key=lambda times: times[1])
    ours.send(0)
    longest, closed = ours.recv()
    process.join()
    world.end()
    name = "pressed_tls" if is_tls else "pressed"
    figures.update({f"{name}_p99": pressed[1], f"{name}_ratio": pressed[1] / alone[1],
                    f"{name}_drip": longest})
    line(f"a new client, {kind}, alone", f"{alone[0]:.2f} ms", f"p99 {alone[1]:.2f} ms")
    line(f"a new client, {kind}, {SLOW:,} slow and {IDLE:,} idle", f"{pressed[0]:.2f} ms",
         f"p99 {pressed[1]:.2f} ms (the worst of several rounds)")
    line("the longest life of a slow client", f"{longest:.1f} s", f"{closed:,} ended")


def measure_memory():
    for name in ("silent", "half", "idle", "idle_tls"):
        world = PressedWorld(name == "idle_tls")
        world.settle()
        context = world.context()
        make = {"silent": plain, "half": half}.get(name, lambda port, c=context: idle(port, c))
        # what a first request needs
        idle(world.port, context).close()
        before = memory_mib(world.daemon.pid)
        held = [make(world.port) for _ in range(SAMPLE)]
        # its own connection is served after theirs
        idle(world.port, context).close()
        after = memory_mib(world.daemon.pid)
        each = (after[0] - before[0]) * 1024 * 1024 / SAMPLE
        figures[f"each_{name}"] = each / 1000
        line(f"memory of a connection, {name} (RSS)", f"{each:,.0f} bytes",
             f"private dirty {(after[1] - before[1]) * 1024 * 1024 / SAMPLE:,.0f}")
        for sock in held:
            sock.close()
        world.end()


def half(port):
    sock = plain(port)
    sock.sendall(HEAD)
    return sock


def measure():
    raise_descriptors()
    measure_memory()
    measure_time(False)
    measure_time(True)
