#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord under a service manager, which these tests simulate: notifications, the watchdog,
socket activation, reload, credentials."""

import fcntl
import http.client
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (CLOUD_TOKEN, PATIENCE, Broker, BrokerCase, cli_body, need,  # noqa: E402
                     until, wait_for)

# Moves the descriptors in argument 2 to 3 and up, as a service manager does, and executes the rest.
HAND_OVER = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 20) for fd in sys.argv[2].split(",")]
for to, fd in enumerate(high, 3):
    os.dup2(fd, to, inheritable=True)
    os.close(fd)
os.environ.update(LISTEN_PID=sys.argv[1] or str(os.getpid()), LISTEN_FDS=str(len(high)))
os.execv(sys.argv[3], sys.argv[3:])
"""


class Notices:
    """The manager's end of NOTIFY_SOCKET; `name` begins with "@" for an abstract socket."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1))

    def next(self, seconds):
        """The next notification as a dict; None on timeout."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def until(self, key, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            notice = self.next(end - time.monotonic())
            if notice and key in notice:
                return notice
        raise AssertionError("no %s in %s s" % (key, seconds))

    def drain(self):
        while self.next(0):
            pass

    def close(self):
        self.socket.close()


class Service(Broker):
    """A broker started with the given environment and sockets, if any."""

    def __init__(self, env=None, sockets=(), listen_pid="", credential=False, **options):
        self.env, self.sockets, self.listen_pid = env or {}, sockets, listen_pid
        self.credential = credential
        super().__init__(**options)

    def command(self):
        return [self.lessord, "--config", self.home + "/conf", "--port-file", self.home + "/port"]

    def start(self):
        if self.credential:
            self.credential = False
            os.mkdir(self.home + "/credentials", 0o700)
            os.rename(self.home + "/token", self.home + "/credentials/cloud")
            # As systemd creates it: owned by root, readable by the service's user through an ACL.
            os.chmod(self.home + "/credentials/cloud", 0o440)
            self.edit("token_file = %s/token" % self.home, "credential = cloud")
            self.env["CREDENTIALS_DIRECTORY"] = self.home + "/credentials"
        self.spawn()
        self.port = wait_for(self.home + "/port", self.process)

    def spawn(self):
        if os.path.exists(self.home + "/port"):
            os.unlink(self.home + "/port")
        command, fds = self.command(), [s.fileno() for s in self.sockets]
        if fds:
            command = [sys.executable, "-c", HAND_OVER, self.listen_pid,
                       ",".join(map(str, fds))] + command
        with open(self.home + "/log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log,
                                            pass_fds=fds, env=dict(os.environ, **self.env))

    def ends(self):
        """Starts a lessord that must fail; returns its exit code."""
        self.spawn()
        return self.process.wait(PATIENCE)


def tcp(address="127.0.0.1", port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(64)
    return s


class Home(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="lessor-service-")
        self.addCleanup(shutil.rmtree, self.home)

    def service(self, **options):
        service = Service(**options)
        self.addCleanup(service.close)
        return service

    def notices(self, name=None):
        notices = Notices(name or self.home + "/notify")
        self.addCleanup(notices.close)
        return notices


class Notify(Home):
    def test_a_life(self):
        for name in (self.home + "/notify", "@lessor-test-%d" % os.getpid()):
            with self.subTest(name=name):
                notices = self.notices(name)
                service = self.service(env={"NOTIFY_SOCKET": name}, server="drain = 4s")
                self.assertEqual(notices.next(PATIENCE), {"READY": "1", "STATUS": "serving"})
                self.assertEqual(service.ask("GET", "/v1/health").status, 200)
                service.process.send_signal(signal.SIGTERM)
                notice = notices.next(PATIENCE)
                self.assertEqual(notice["STOPPING"], "1")
                # Long enough for the drain, for sending responses and for the force grace.
                self.assertEqual(notice["EXTEND_TIMEOUT_USEC"], "17000000")
                self.assertEqual(service.process.wait(PATIENCE), 0)
                self.assertIsNone(notices.next(0))

    def test_ready_is_not_said_by_one_that_does_not_start(self):
        notices = self.notices()
        service = self.service()
        service.kill(signal.SIGTERM)
        service.env["NOTIFY_SOCKET"] = notices.name
        service.edit("listen = 127.0.0.1:0", "listen = 127.0.0.1:%d" % service.sim_port)
        # Another program's address: it may end, so the service manager tries again.
        self.assertEqual(service.ends(), 1)
        self.assertIsNone(notices.next(0))
        service.edit("listen = 127.0.0.1:%d" % service.sim_port, "listen = 127.0.0.1:0")
        service.start()

    def test_reload(self):
        notices = self.notices()
        service = self.service(env={"NOTIFY_SOCKET": notices.name})
        notices.until("READY")
        before = time.monotonic()
        service.process.send_signal(signal.SIGHUP)
        notice = notices.next(PATIENCE)
        self.assertEqual(notice["RELOADING"], "1")
        self.assertLessEqual(before, int(notice["MONOTONIC_USEC"]) / 1e6)
        self.assertLessEqual(int(notice["MONOTONIC_USEC"]) / 1e6, time.monotonic())
        self.assertEqual(notices.next(PATIENCE), {"READY": "1", "STATUS": "serving"})
        # Text 10: what it did not apply stays in the status.
        service.edit("settle = 1s", "settle = 2s")
        service.edit("poll = 50ms", "poll = 60ms")
        service.process.send_signal(signal.SIGHUP)
        self.assertEqual(notices.next(PATIENCE)["RELOADING"], "1")
        self.assertEqual(notices.next(PATIENCE), {
            "READY": "1",
            "STATUS": "serving; needs a restart: [server] settle; [account hetzner] poll"})
        service.edit("[limits]", "[limits]\nmax_active = none")
        service.process.send_signal(signal.SIGHUP)
        self.assertEqual(notices.next(PATIENCE)["RELOADING"], "1")
        notice = notices.next(PATIENCE)
        self.assertEqual(notice["READY"], "1")
        self.assertIn("the last reload failed", notice["STATUS"])
        self.assertEqual(service.ask("GET", "/v1/health").status, 200)


@unittest.skipUnless(shutil.which("openssl"), "openssl is missing")
class Certificate(Home):
    def make(self, days):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-days", days,
                        "-keyout", self.home + "/key", "-out", self.home + "/pem"],
                       check=True, capture_output=True)

    def expire(self):
        subprocess.run(["openssl", "x509", "-in", self.home + "/pem", "-signkey",
                        self.home + "/key", "-days", "-1", "-out", self.home + "/pem"],
                       check=True, capture_output=True)

    def check(self, service):
        return subprocess.run([service.lessord, "--check-config", "--config",
                               service.home + "/conf"], check=True, capture_output=True,
                              text=True).stderr

    def test_d13_an_end_that_is_near_or_past_is_a_warning(self):
        dated = r"the TLS certificate %s on \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        self.make("3")
        service = self.service(server="tls_certificate = %s/pem\ntls_key = %s/key\n" %
                               (self.home, self.home))
        self.assertRegex(service.log(), dated % "expires")
        self.assertRegex(self.check(service), dated % "expires")
        self.expire()
        self.assertRegex(self.check(service), dated % "expired")
        service.process.send_signal(signal.SIGHUP)
        until(lambda: re.search(dated % "expired", service.log()))
        self.make("30")
        self.assertEqual(self.check(service), "")


class Watchdog(Home):
    def test_fed_only_while_the_engine_moves(self):
        stall = os.environ.get("LESSOR_STALL", "")
        if not stall:
            self.skipTest("a disk cannot be made to hang under a sanitizer")
        notices = self.notices()
        gate = open(self.home + "/gate", "wb")
        self.addCleanup(gate.close)
        service = self.service(env={
            "NOTIFY_SOCKET": notices.name, "WATCHDOG_USEC": "300000", "LD_PRELOAD": stall,
            "STALL_GATE": gate.name})
        for _ in range(3):
            notices.until("WATCHDOG")

        fcntl.flock(gate, fcntl.LOCK_EX)
        answers = []
        worker = threading.Thread(target=lambda: answers.append(
            service.ask("POST", "/v1/leases", service.alice, cli_body())))
        worker.start()
        def stuck(times):
            until(lambda: service.log().count("the engine is stuck") >= times,
                  why="the hanging disk is not detected")
        stuck(1)
        notices.drain()
        # It is logged whenever the watchdog would be fed; the loop serves what needs no commit.
        stuck(11)
        self.assertEqual(service.ask("GET", "/v1/health").status, 200)
        self.assertIsNone(notices.next(0), "the watchdog is fed although the engine hangs")

        fcntl.flock(gate, fcntl.LOCK_UN)
        worker.join(PATIENCE)
        self.assertEqual([a.status for a in answers], [201])
        notices.until("WATCHDOG")

    def test_a_manager_that_does_not_listen_holds_nobody_up(self):
        notices = self.notices()
        service = self.service(env={"NOTIFY_SOCKET": notices.name, "WATCHDOG_USEC": "3000"})
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(filler.close)
        filler.setblocking(False)
        with self.assertRaises(BlockingIOError):
            while True:
                filler.sendto(b"X=1", notices.name)
        for _ in range(20):
            self.assertEqual(service.ask("GET", "/v1/health").status, 200)
        notices.drain()
        notices.until("WATCHDOG")
        with self.assertRaises(BlockingIOError):
            while True:
                filler.sendto(b"X=1", notices.name)
        self.assertEqual(service.kill(signal.SIGTERM), 0)
        notices.drain()
        service.start()

    def test_not_fed_for_another_process(self):
        notices = self.notices()
        service = self.service(env={"NOTIFY_SOCKET": notices.name, "WATCHDOG_USEC": "30000",
                                    "WATCHDOG_PID": "1"})
        notices.until("READY")
        self.a_second(service)
        self.assertIsNone(notices.next(0))
        self.assertEqual(service.kill(signal.SIGTERM), 0)
        notices.drain()
        service.env["WATCHDOG_PID"] = "nobody"
        service.start()
        notices.until("READY")
        self.a_second(service)
        self.assertIsNone(notices.next(0))

    def a_second(self, service):
        """Waits at least a second of the loop's time: it checks for new tokens once a second."""
        for _ in range(2):
            token = service.token("carol@example.com", "acme", "user")
            until(lambda t=token: service.ask("GET", "/v1/whoami", t).status == 200)


class Sockets(Home):
    def test_served_and_never_unlinked(self):
        path = self.home + "/api.sock"
        local, port = socket.socket(socket.AF_UNIX), tcp()
        self.addCleanup(local.close)
        self.addCleanup(port.close)
        local.bind(path)
        local.listen(64)
        number = port.getsockname()[1]
        # The configured address is opened too; without "listen" the default would be.
        service = self.service(sockets=[local, port])
        self.assertEqual(service.port, number)
        self.assertEqual(service.ask("GET", "/v1/health").status, 200)
        self.assertIn(b"HTTP/1.1 200", self.health(path))
        listening = re.findall(r"listening on (\S+)", service.log())
        self.assertEqual(len(listening), 3, listening)

        service.kill(signal.SIGTERM)
        service.edit("listen = 127.0.0.1:0", "listen = 127.0.0.1:%d, unix:%s" % (number, path))
        service.start()
        listening = re.findall(r"listening on (\S+)", service.log())[3:]
        self.assertEqual(sorted(l.rstrip(",") for l in listening),
                         sorted([path, "127.0.0.1:%d" % number]))

        service.kill(signal.SIGTERM)
        service.edit("listen = 127.0.0.1:%d, unix:%s" % (number, path), "")
        service.start()
        self.assertNotIn(":8480", service.log())
        self.assertTrue(os.path.exists(path))
        # No client is refused while lessord is down.
        service.kill()
        client = http.client.HTTPConnection("127.0.0.1", number, timeout=20)
        client.request("GET", "/v1/health")
        service.start()
        self.assertEqual(client.getresponse().status, 200)
        client.close()

    def health(self, path):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(path)
        client.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = client.recv(4096)
        client.close()
        return answer

    def test_refused(self):
        service = self.service()
        service.kill(signal.SIGTERM)
        open_to_all, not_listening = tcp("0.0.0.0"), socket.socket()
        self.addCleanup(open_to_all.close)
        self.addCleanup(not_listening.close)
        for wrong, sentence in ((open_to_all, "without TLS on 0.0.0.0"),
                                (not_listening, "not a listening socket")):
            service.sockets = [wrong]
            self.assertEqual(service.ends(), 2)
            self.assertIn("socket passed by the service manager: ", service.log())
            self.assertIn(sentence, service.log())
        # Sockets meant for another process are ignored.
        service.listen_pid = "1"
        service.start()
        self.assertNotEqual(service.port, open_to_all.getsockname()[1])
        self.assertEqual(service.ask("GET", "/v1/health").status, 200)


class Credential(Home):
    def test_from_the_directory(self):
        service = self.service(credential=True)
        case = BrokerCase()
        case.broker = service
        lease = case.create()
        self.assertEqual(len(service.servers()), 1)
        case.release(lease)
        service.kill(signal.SIGTERM)
        del service.env["CREDENTIALS_DIRECTORY"]
        self.assertEqual(service.ends(), 2)
        self.assertIn("LoadCredential=cloud:", service.log())
        self.assertNotIn(CLOUD_TOKEN, service.log())
        service.env["CREDENTIALS_DIRECTORY"] = service.home + "/credentials"
        service.start()

    def test_d7_a_file_that_does_not_exist_yet_is_for_the_service_manager(self):
        """The start fails with the status that the unit retries."""
        service = self.service()
        service.kill(signal.SIGTERM)
        for name in ("token", "conf"):
            os.rename(service.home + "/" + name, service.home + "/later")
            self.assertEqual(service.ends(), 1)
            os.rename(service.home + "/later", service.home + "/" + name)
        self.assertIn("token: No such file or directory", service.log())
        service.start()


if __name__ == "__main__":
    need("LESSORD")
    unittest.main()
