# SPDX-License-Identifier: MIT
"""Several lessord on one PostgreSQL database and one simulated cloud, for test_failover.py.

The way from one daemon to another leads through a gate, which can hold a forwarded request."""

import concurrent.futures
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from harness import CLOUD_TOKEN, PATIENCE, Broker, cli_body, need, until, wait_for

OWNED = 'lessor_account_owned{account="hetzner"}'
SECTION = """
[account west]
provider = hetzner
locations = fsn1, nbg1
image = ubuntu-24.04
token_file = {home}/token
endpoint = http://127.0.0.1:{port}/v1
poll = 50ms
"""


class Gate:
    """A port that leads to a daemon. While it is shut, releases are held in it."""

    def __init__(self):
        self.to = 0
        self.opened = threading.Event()
        self.opened.set()
        self.held = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def shut(self):
        self.held.clear()
        self.opened.clear()

    def open(self):
        self.opened.set()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()
                continue
            self.ends += [client, server]
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, here, there, is_request):
        try:
            while True:
                data = here.recv(65536)
                if is_request and b"/release" in data and not self.opened.is_set():
                    self.held.set()
                    self.opened.wait(PATIENCE)
                if not data:
                    break
                there.sendall(data)
        except OSError:
            pass
        for end in (here, there):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.opened.set()
        self.listener.close()
        for end in self.ends:
            end.close()


class Member(Broker):
    """One of the daemons. The first has the cloud, too."""

    def __init__(self, url, first=None, **options):
        self.url = url
        self.gate = Gate()
        self.is_stopped = self.is_killed = False
        if not first:
            super().__init__(server="probe = 300ms\nadvertise = 127.0.0.1:%d" % self.gate.port,
                             log_level="info", **options)
            return
        self.home = tempfile.mkdtemp(prefix="lessor-member-")
        self.lessord, self.process, self.port = need("LESSORD"), None, 0
        self.sim_port, self.cloud = first.sim_port, None
        self.alice, self.bob, self.reader, self.admin = (
            first.alice, first.bob, first.reader, first.admin)
        shutil.copyfile(first.home + "/conf", self.home + "/conf")
        self.edit("state_dir = " + first.home, "state_dir = " + self.home)
        self.edit("advertise = 127.0.0.1:%d" % first.gate.port,
                  "advertise = 127.0.0.1:%d" % self.gate.port)
        self.start()

    def store(self):
        return {"file": "", "store": "[store]\nurl = %s\nstate_dir = %s\n" % (self.url, self.home)}

    def start(self):
        super().start()
        self.is_killed = False
        self.gate.to = self.port

    def kill(self, number=signal.SIGKILL):
        self.is_killed = self.is_killed or number == signal.SIGKILL
        return super().kill(number)

    def stop(self):
        self.is_stopped = True
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_stopped = False

    def owns(self):
        """Does it know itself as the owner? A daemon that is busy claiming says no."""
        try:
            return self.metric(OWNED) == 1
        except OSError:
            return False

    def shard(self):
        """What it says about its account."""
        answer = self.ask("GET", "/v1/daemons", self.admin)
        return answer.json["accounts"][0] if answer.status == 200 else {}

    def close(self):
        if self.is_stopped:
            self.go_on()
        ended = self.process.poll() if self.is_killed else self.kill(signal.SIGTERM)
        said = self.log()
        self.gate.close()
        if self.cloud:
            self.cloud.terminate()
            self.cloud.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)
        if not self.is_killed and ended != 0:
            raise AssertionError("lessord exited with %s: %s" % (ended, said[-20000:]))


class West:
    """A second cloud, and the section of its account."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="lessor-west-")
        with open(self.home + "/token", "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(CLOUD_TOKEN + "\n")
        self.cloud = subprocess.Popen(
            shlex.split(need("HETZNER_SIM")) +
            ["--listen", "127.0.0.1:0", "--port-file", self.home + "/port", "--token", CLOUD_TOKEN,
             "--speed", "100"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.section = SECTION.format(home=self.home,
                                      port=wait_for(self.home + "/port", self.cloud))

    def close(self):
        self.cloud.terminate()
        self.cloud.wait(10)
        shutil.rmtree(self.home)


class Group:
    """Daemons on one database; close() ends them."""

    def __init__(self, url, count=2, **options):
        self.members = []
        self.pool = concurrent.futures.ThreadPoolExecutor(8)
        try:
            self.members.append(Member(url, **options))
            for _ in range(count - 1):
                self.members.append(Member(url, self.members[0]))
        except BaseException:
            self.close()
            raise
        self.first = self.members[0]
        self.alice = self.first.alice

    def living(self):
        return [m for m in self.members if not m.is_stopped and not m.is_killed]

    def owner(self):
        """The living daemon that owns the account, as soon as there is one."""
        return until(lambda: next((m for m in self.living() if m.owns()), None),
                     why=lambda: "nobody owns the account: " + self.said())

    def others(self, member):
        return [m for m in self.living() if m is not member]

    def later(self, what, *words, **more):
        """A call that waits, in a thread of its own."""
        return self.pool.submit(what, *words, **more)

    def change(self, member, lease, what, body, key=None, **headers):
        """A request about a lease."""
        if key:
            headers["Idempotency-Key"] = key
        return member.ask("POST", "/v1/leases/%s/%s" % (lease["id"], what), self.alice, body,
                          headers)

    def release(self, member, lease, delete, key=None, wait=None, **more):
        if wait:
            more["Prefer"] = "wait=%d" % wait
        return self.change(member, lease, "release", {"delete": delete}, key, **more)

    def lease(self, member, lease):
        """As it is now; waits for the database."""
        def read():
            answer = member.ask("GET", "/v1/leases/" + lease["id"], self.alice)
            if answer.status not in (200, 503):
                raise AssertionError("%r\n%s" % (answer, self.said()))
            return answer.lease if answer.status == 200 else None
        return until(read, why=self.said)

    def events(self, member, lease):
        return member.ask("GET", "/v1/leases/%s/events" % lease["id"],
                          self.alice).json["events"]

    def create(self, member, **changes):
        answer = member.ask("POST", "/v1/leases", self.alice, cli_body(**changes))
        if answer.status != 201:
            raise AssertionError("%r\n%s" % (answer, self.said()))
        return answer.lease

    def server(self, lease):
        """The lease's server in the cloud; None if there is none. Two are an error."""
        found = [s for s in self.first.servers() if s["lease"] == lease["id"]]
        if len(found) > 1:
            raise AssertionError("two servers: %r" % found)
        return found[0] if found else None

    def said(self):
        return "".join("--- %d\n%s" % (m.port, m.log()[-6000:]) for m in self.members)

    def close(self):
        # Threads may wait for a daemon that was stopped.
        for member in self.members:
            member.gate.open()
            if member.is_stopped:
                member.go_on()
        failed = []
        # The cloud is the first one's.
        for member in reversed(self.members):
            try:
                member.close()
            except AssertionError as e:
                failed.append(str(e))
        self.pool.shutdown()
        if failed:
            raise AssertionError("\n".join(failed))
