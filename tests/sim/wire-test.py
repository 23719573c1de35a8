#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The simulator from outside: faults on real connections, the clock, waiting, signals.

wire-test.py HETZNER_SIM. Standard library only. Nothing here sleeps to wait for an event.
"""
import http.client
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

SIM = "hetzner-sim"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + 43 * "A"
SERVER = {"name": "a", "server_type": "cx23", "image": "debian-12"}
PATIENCE = 20


class Sim:
    def __init__(self, *options):
        self.process = subprocess.Popen([SIM, *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        scheme = "https" if "--tls-cert" in options else "http"
        assert line.startswith(f"listening on {scheme}://127.0.0.1:"), line
        self.port = int(line.split(":")[2].split("/")[0])
        self.admin_port = self.port
        if "--admin-listen" in options:
            self.admin_port = int(self.process.stdout.readline().split(":")[2].split("/")[0])

    def stop(self):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def connect(self, port=None):
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)

    def socket(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def admin(self, method, path, body=None):
        c = self.connect(self.admin_port)
        c.request(method, "/_sim/" + path, None if body is None else json.dumps(body))
        r = c.getresponse()
        text = r.read().decode()
        c.close()
        assert r.status == 200, (method, path, r.status, text)
        return json.loads(text)

    def fault(self, op, kind, **args):
        return self.admin("POST", "faults", {"match": {"op": op}, "fault": {"kind": kind, **args}})

    def wait(self, condition):
        return self.admin("GET", f"wait?{condition}&timeout_ms={PATIENCE * 1000}")

    def keys(self):
        return len(self.admin("GET", "state")["ssh_keys"])


def head(method, path, body=b"", extra=""):
    return (f"{method} /v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
            f"Content-Length: {len(body)}\r\n{extra}\r\n").encode()


def raw(method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    return head(method, path, data) + data


def new_key(name="k", fill="A"):
    return {"name": name, "public_key": KEY[:-8] + 8 * fill}


def read_all(s):
    """Reads until the other side closes: its bytes, and whether it was a reset."""
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return data, True
        if not more:
            return data, False
        data += more


def read_answer(s, data=b""):
    """One response with a Content-Length: head, body, and what followed it."""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        assert more, "closed inside the head"
        data += more
    top, _, rest = data.partition(b"\r\n\r\n")
    length = 0
    for line in top.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(rest) < length:
        more = s.recv(65536)
        assert more, "closed inside the body"
        rest += more
    return top, rest[:length], rest[length:]


class WireTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim("--clock", "virtual", "--rate-limit", "off")

    @classmethod
    def tearDownClass(cls):
        assert cls.sim.stop() == 0

    def setUp(self):
        self.sim.admin("POST", "reset")

    def exchange(self, request):
        with self.sim.socket() as s:
            s.sendall(request)
            return read_all(s)

    def test_connection_is_kept_and_pipelined(self):
        with self.sim.socket() as s:
            s.sendall(2 * raw("GET", "/locations"))
            top, body, rest = read_answer(s)
            self.assertEqual(len(json.loads(body)["locations"]), 6)
            top, body, rest = read_answer(s, rest)
            self.assertEqual(len(json.loads(body)["locations"]), 6)
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            top, body, rest = read_answer(s)
            self.assertTrue(top.startswith(b"HTTP/1.1 201 "))
            key = json.loads(body)["ssh_key"]["id"]
            s.sendall(raw("DELETE", f"/ssh_keys/{key}"))
            top, body, rest = read_answer(s)
            self.assertTrue(top.startswith(b"HTTP/1.1 204 "))
            self.assertNotIn(b"content-length", top.lower())
            self.assertNotIn(b"content-type", top.lower())
            s.sendall(head("GET", "/locations", extra="Connection: close\r\n"))
            self.assertIn(b"Connection: close", read_all(s)[0])

    def test_body_may_come_late_or_in_chunks(self):
        data = json.dumps(new_key()).encode()
        with self.sim.socket() as s:
            s.sendall(head("POST", "/ssh_keys", data, "Expect: 100-continue\r\n"))
            self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            s.sendall(data[:10])
            s.sendall(data[10:])
            self.assertIn(b" 201 ", read_answer(s)[0])
        data = json.dumps(new_key("l", "B")).encode()
        chunked = head("POST", "/ssh_keys").replace(b"Content-Length: 0",
                                                    b"Transfer-Encoding: chunked")
        with self.sim.socket() as s:
            s.sendall(chunked + b"%x\r\n%s\r\n" % (9, data[:9]))
            s.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data) - 9, data[9:]))
            self.assertIn(b" 201 ", read_answer(s)[0])
        self.assertEqual(self.sim.keys(), 2)

    def test_nonsense_is_not_answered(self):
        for nonsense in (b"GARBAGE\r\n\r\n", b"GET x HTTP/1.1\r\n\r\n", b"A" * 70000):
            self.assertEqual(self.exchange(nonsense)[0], b"")

    def test_close_has_no_effect_and_lost_has(self):
        self.sim.fault("k.create", "close")
        self.assertEqual(self.exchange(raw("POST", "/ssh_keys", new_key())), (b"", False))
        self.assertEqual(self.sim.keys(), 0)
        self.sim.fault("k.create", "lost")
        self.assertEqual(self.exchange(raw("POST", "/ssh_keys", new_key())), (b"", False))
        self.assertEqual(self.sim.keys(), 1)
        self.sim.fault("k.create", "lost", reset=True)
        self.assertEqual(self.exchange(raw("POST", "/ssh_keys", new_key("l", "B"))), (b"", True))
        self.assertEqual(self.sim.keys(), 2)

    def test_reused_connection_dies_with_effect(self):
        self.sim.fault("k.create", "stale")
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.assertIn(b" 201 ", read_answer(s)[0])
            s.sendall(raw("POST", "/ssh_keys", new_key("l", "B")))
            self.assertEqual(read_all(s), (b"", False))
        self.assertEqual(self.sim.keys(), 2)
        self.assertEqual(self.sim.admin("GET", "calls")["total"]["k.create"], 2)

    def test_connection_closes_unannounced_after_the_answer(self):
        self.sim.fault("l.list", "close_after")
        data, reset = self.exchange(raw("GET", "/locations"))
        self.assertIn(b'"meta"', data)
        self.assertNotIn(b"Connection: close", data)

    def test_answers_are_cut(self):
        self.sim.fault("s.create", "cut", bytes=40)
        data, reset = self.exchange(raw("POST", "/servers", SERVER))
        top, _, body = data.partition(b"\r\n\r\n")
        self.assertEqual(len(body), 40)
        self.assertGreater(int(top.lower().split(b"content-length: ")[1].split(b"\r")[0]), 1000)
        self.assertEqual(len(self.sim.admin("GET", "state")["servers"]), 1)
        self.sim.fault("l.list", "cut_headers", bytes=25)
        self.assertEqual(len(self.exchange(raw("GET", "/locations"))[0]), 25)
        self.sim.fault("l.list", "long_length", extra=7)
        top, _, body = self.exchange(raw("GET", "/locations"))[0].partition(b"\r\n\r\n")
        self.assertIn(f"Content-Length: {len(body) + 7}".encode(), top)
        self.sim.fault("l.list", "chunked", bytes=10)
        data, reset = self.exchange(raw("GET", "/locations"))
        self.assertIn(b"Transfer-Encoding: chunked", data)
        self.assertFalse(data.endswith(b"0\r\n\r\n"))

    def test_whole_chunked_answer(self):
        self.sim.fault("l.list", "chunked")
        c = self.sim.connect()
        c.request("GET", "/v1/locations", headers={"Authorization": "Bearer t"})
        self.assertEqual(len(json.loads(c.getresponse().read())["locations"]), 6)
        c.close()

    def test_hanging_is_silent_and_open(self):
        self.sim.fault("l.list", "hang")
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            self.sim.wait("calls=l.list:1")
            self.sim.admin("GET", "state")
            self.assertEqual(select.select([s], [], [], 0)[0], [])

    def test_odd_framing(self):
        self.sim.fault("l.list", "stray")
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            top, body, rest = read_answer(s)
            again = read_answer(s, rest)
            self.assertEqual((top, body), again[:2])
        self.sim.fault("l.list", "interim", count=3)
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            data = b""
            while b'"meta"' not in data:
                data += s.recv(65536)
            self.assertEqual(data.count(b"HTTP/1.1 103 "), 3)
        self.sim.fault("l.list", "interim")
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            size = 0
            while size < 1000000:
                size += len(s.recv(65536))
        self.sim.fault("l.list", "drip", bytes=400, ms=1)
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            self.assertLessEqual(len(s.recv(65536)), 400)

    def test_bulk(self):
        self.sim.fault("l.list", "gzip", mib=8)
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            top, body, rest = read_answer(s)
        self.assertLess(len(body), 1 << 20)
        size = len(zlib.decompressobj(-15).decompress(body[10:]))
        self.assertGreater(size, 8 * (1 << 20) - 1000)
        self.sim.fault("l.list", "big", bytes=3000000)
        with self.sim.socket() as s:
            s.sendall(raw("GET", "/locations"))
            self.assertGreater(len(read_answer(s)[1]), 3000000)

    def test_held_request_happens_after_the_client_left(self):
        self.sim.fault("k.create", "hold")
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.sim.wait("held=1")
        self.assertEqual(self.sim.keys(), 0)
        self.assertEqual(self.sim.admin("POST", "release", {})["released"], 1)
        self.assertEqual(self.sim.keys(), 1)

    def test_held_request_is_answered_when_released(self):
        self.sim.fault("k.create", "hold")
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.sim.wait("held=1")
            self.sim.admin("POST", "release", {})
            self.assertIn(b" 201 ", read_answer(s)[0])

    def test_slow_request_happens_after_the_client_left(self):
        self.sim.fault("k.create", "slow", ms=30)
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
        self.sim.wait("ssh_keys=1")

    def test_delay_has_its_effect_at_once(self):
        self.sim.fault("k.create", "delay", ms=50)
        with self.sim.socket() as s:
            begin = time.monotonic()
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.assertIn(b" 201 ", read_answer(s)[0])
            self.assertGreaterEqual(time.monotonic() - begin, 0.049)

    def test_time_moves_when_told(self):
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/servers", SERVER))
            read_answer(s)
        before = self.sim.admin("GET", "state")["now_ms"]
        waiter = threading.Thread(target=self.sim.wait, args=("status=a:running",))
        waiter.start()
        self.assertEqual(self.sim.admin("POST", "advance", {"ms": 10000})["now_ms"], before + 10000)
        self.assertEqual(self.sim.admin("GET", "state")["servers"][0]["status"], "off")
        for _ in range(3):
            self.sim.admin("POST", "advance", {"next": True})
        waiter.join(PATIENCE)
        self.assertFalse(waiter.is_alive())
        self.assertEqual(self.sim.admin("GET", "state")["now_ms"], before + 17000)

    def test_waiting_has_an_end(self):
        c = self.sim.connect()
        c.request("GET", "/_sim/wait?servers=5&timeout_ms=1")
        r = c.getresponse()
        self.assertEqual(r.status, 408)
        self.assertFalse(json.loads(r.read())["met"])
        c.request("GET", "/_sim/wait?nonsense=5")
        r = c.getresponse()
        r.read()
        self.assertEqual(r.status, 400)
        c.close()

    def kill(self, at):
        victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.sim.fault("k.create", "signal", pid=victim.pid, at=at)
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.assertIn(b" 201 ", read_answer(s)[0])
        self.assertEqual(victim.wait(PATIENCE), -signal.SIGKILL)
        victim.stdin.close()

    def test_signal_before_after_and_answered(self):
        for at in ("before", "after", "answered"):
            self.sim.admin("POST", "reset")
            self.kill(at)

    def test_reset_lets_go_of_what_is_held(self):
        self.sim.fault("k.create", "hold")
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.sim.wait("held=1")
            self.sim.admin("POST", "reset")
            self.sim.admin("POST", "release", {})
            self.assertEqual(read_all(s), (b"", False))
        self.assertEqual(self.sim.keys(), 0)


class ProcessTest(unittest.TestCase):
    def test_real_clock_runs_fast(self):
        sim = Sim("--speed", "1000", "--boot-ms", "3000")
        with sim.socket() as s:
            s.sendall(raw("POST", "/servers", SERVER))
            self.assertIn(b" 201 ", read_answer(s)[0])
        sim.wait("status=a:running")
        self.assertEqual(sim.stop(), 0)

    def test_listener_can_be_closed_and_opened(self):
        sim = Sim("--admin-listen", "127.0.0.1:0")
        sim.admin("POST", "listener", {"open": False})
        with self.assertRaises(ConnectionRefusedError):
            sim.socket()
        sim.admin("POST", "listener", {"open": True})
        sim.socket().close()
        self.assertEqual(sim.stop(), 0)

    def test_options(self):
        with tempfile.TemporaryDirectory() as folder:
            port_file = os.path.join(folder, "port")
            scenario = os.path.join(folder, "scenario.json")
            with open(scenario, "w") as f:
                json.dump({"config": {"max_servers": 1}, "objects": [{"name": "old"}]}, f)
            sim = Sim("--port-file", port_file, "--scenario", scenario, "--token", "good",
                      "--readonly-token", "reader", "--rate-limit", "100", "--seed", "7")
            with open(port_file) as f:
                self.assertEqual(int(f.read()), sim.port)
            for token, method, status in (("good", "POST", 403), ("reader", "GET", 200),
                                          ("reader", "POST", 403), ("bad", "GET", 401)):
                c = sim.connect()
                c.request(method, "/v1/servers", json.dumps(SERVER) if method == "POST" else None,
                          {"Authorization": "Bearer " + token})
                r = c.getresponse()
                self.assertEqual((r.status, r.headers["RateLimit-Limit"]), (status, "100"))
                r.read()
                c.close()
            self.assertEqual(sim.stop(), 0)
            with open(scenario, "w") as f:
                f.write('{"fault": []}')
            bad = subprocess.run([SIM, "--scenario", scenario], capture_output=True, text=True)
            self.assertEqual((bad.returncode, bad.stdout), (2, ""))
        for options, status in ((["--help"], 0), (["--version"], 0), (["--list-faults"], 0),
                                (["--speed", "0"], 2), (["--quota", "cats=1"], 2), (["x"], 2),
                                (["--listen", "nowhere"], 1)):
            done = subprocess.run([SIM, *options], capture_output=True, text=True)
            self.assertEqual(done.returncode, status, options)

    def test_readme_names_every_fault(self):
        kinds = subprocess.run([SIM, "--list-faults"], capture_output=True, text=True).stdout
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                               "../../sdk/sim/README.md")) as f:
            readme = f.read()
        for line in kinds.splitlines():
            kind, sort, text = line.split(None, 2)
            self.assertIn(f"| `{kind}` | {sort} | {text} |", readme)

    def test_many_connections(self):
        sim = Sim("--rate-limit", "off")
        sockets = [sim.socket() for _ in range(200)]
        for s in sockets:
            s.sendall(raw("GET", "/locations"))
        for s in sockets:
            self.assertIn(b" 200 ", read_answer(s)[0])
            s.close()
        self.assertEqual(sim.stop(), 0)


class TlsTest(unittest.TestCase):
    """The TLS front: certificates as clients see them, and faults of the transport behind it."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        cls.cert, cls.key = cls.make("sim", "2")
        cls.sim = Sim("--tls-cert", cls.cert, "--tls-key", cls.key, "--admin-listen",
                      "127.0.0.1:0", "--clock", "virtual", "--rate-limit", "off")

    @classmethod
    def tearDownClass(cls):
        assert cls.sim.stop() == 0
        cls.home.cleanup()

    @classmethod
    def make(cls, name, days, address="127.0.0.1", more=("-nodes",)):
        cert, key = (f"{cls.home.name}/{name}.{kind}" for kind in ("crt", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", *more, "-keyout", key, "-out", cert,
                        "-subj", "/CN=sim", "-addext", f"subjectAltName=IP:{address}",
                        "-days", days], check=True, capture_output=True)
        return cert, key

    def open(self, sim=None, trust=None):
        context = ssl.create_default_context(cafile=trust or self.cert)
        # An end that is not announced is an error.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        raw_socket = socket.create_connection(("127.0.0.1", (sim or self.sim).port), PATIENCE)
        self.addCleanup(raw_socket.close)
        return context.wrap_socket(raw_socket, server_hostname="127.0.0.1",
                                   suppress_ragged_eofs=False)

    def setUp(self):
        self.sim.admin("POST", "reset")

    def test_requests_are_kept_pipelined_and_linked(self):
        with self.open() as s:
            self.assertIn(s.version(), ("TLSv1.2", "TLSv1.3"))
            s.sendall(2 * raw("GET", "/server_types?per_page=20"))
            top, body, rest = read_answer(s)
            self.assertEqual(len(json.loads(body)["server_types"]), 20)
            self.assertIn(b"\r\nLink: <https://x/v1/server_types?per_page=20&page=2>", top)
            self.assertIn(b" 200 ", read_answer(s, rest)[0])
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.assertIn(b" 201 ", read_answer(s)[0])
            s.sendall(head("GET", "/locations", extra="Connection: close\r\n"))
            # A clean end: without it, recv would raise.
            self.assertIn(b"Connection: close", read_all(s)[0])
        self.assertEqual(self.sim.keys(), 1)

    def test_a_client_that_does_not_trust_it_sends_nothing(self):
        other, _ = self.make("other", "2")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.open(trust=other)
        cert, key = self.make("elsewhere", "2", "127.0.0.2")
        sim = Sim("--tls-cert", cert, "--tls-key", key, "--admin-listen", "127.0.0.1:0")
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.open(sim, cert)
        self.assertEqual(sim.stop(), 0)
        with self.sim.socket() as s:
            s.sendall(raw("POST", "/ssh_keys", new_key()))
            self.assertNotIn(b"HTTP/1.1 2", read_all(s)[0])
        self.assertEqual(self.sim.keys(), 0)
        self.assertEqual(self.sim.admin("GET", "state")["requests"], 0)

    def test_faults_of_the_transport(self):
        for kind, args, effect in (("close", {}, 0), ("lost", {}, 1), ("lost", {"reset": True}, 2),
                                   ("cut", {"bytes": 5}, 3), ("cut_headers", {}, 4)):
            self.sim.fault("k.create", kind, **args)
            with self.open() as s:
                s.sendall(raw("POST", "/ssh_keys", new_key(f"k{effect}", "ABCDE"[effect])))
                with self.assertRaises((ssl.SSLError, ConnectionResetError), msg=kind):
                    while s.recv(65536):
                        pass
            self.assertEqual(self.sim.keys(), effect, kind)
        self.sim.fault("k.list", "drip", bytes=500, ms=1)
        with self.open() as s:
            s.sendall(raw("GET", "/ssh_keys"))
            self.assertEqual(len(json.loads(read_answer(s)[1])["ssh_keys"]), 4)

    def test_files_that_cannot_be_used_are_named(self):
        encrypted = self.make("encrypted", "2", more=("-passout", "pass:word"))
        for options, said in ((["--tls-cert", self.cert], "there is no '--tls-key'"),
                              (["--tls-key", self.key], "there is no '--tls-cert'"),
                              (["--tls-cert", "/nowhere", "--tls-key", self.key], "'/nowhere'"),
                              (["--tls-cert", self.cert, "--tls-key", "/nowhere"], "'/nowhere'"),
                              (["--tls-cert", self.cert, "--tls-key", encrypted[1]],
                               encrypted[1])):
            done = subprocess.run([SIM, *options], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, timeout=PATIENCE)
            self.assertEqual((done.returncode, done.stdout), (2, ""), options)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        SIM = sys.argv.pop(1)
    unittest.main()
