#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""kill.py calls|points: one life of a lease, with lessord killed at each point in turn.

The life is: start, create, wait until ready, release, wait until cleaned up. It runs once
without a kill, to count the points, and then once for each point at which SIGKILL can
arrive:

  calls   each request to the provider: before its effect, after it, and after the response
  points  each numbered point of the daemon (a build with LESSOR_CRASH_POINTS): before and
          after each commit, before and after each request that changes something

lessord is then restarted on the same store, and the client repeats its request, as
clients do. At the end the lease must be released and cleaned up, the cloud may contain
nothing but the account's sentinel, and neither the log, at the most verbose level, nor the
store may contain a token. This is a black-box test: it uses programs, HTTP and the state
of the simulator. From the environment: LESSORD, LESSOR_PROVIDERS, HETZNER_SIM.

Exit: 0 success, 1 failure, 77 skipped (a program is missing or has no such points)."""

import base64
import concurrent.futures
import http.client
import json
import os
import queue
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import until, wait_for  # noqa: E402

WORKERS = 6  # a life spends most of its time waiting
PATIENCE = 120  # seconds for one life; it takes 1 or 2, or 25 where absence must be proven
KEY = "ssh-ed25519 " + base64.b64encode(
    b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secrets.token_bytes(32)).decode("ascii")

CONFIG = """\
[server]
listen = 127.0.0.1:0
store = {home}/lessor.db
providers = {providers}
settle = 300ms
create_wait = 5s
release_wait = 5s
log_level = debug

[account hetzner]
provider = hetzner
locations = fsn1
token_file = {home}/token
endpoint = http://127.0.0.1:{sim}/v1
poll = 50ms
"""


class Wrong(Exception):
    pass


def need(name):
    value = os.environ.get(name, "")
    if not os.path.exists(value):
        print(f"{name} does not exist: '{value}'")
        sys.exit(77)
    return value


def ask(port, method, path, body=None, token=None):
    """Status and JSON, or None without a complete response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def private(path, text):
    with open(path, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(text)


def await_port(path, process):
    """The port, or None if the process ended before it had one."""
    try:
        return wait_for(path, process)
    except RuntimeError:
        return None
    except AssertionError as e:
        raise Wrong(str(e)) from None


def ways_to_write(secret):
    """The secret, or its first or last part, in every encoding in which a log may contain it."""
    raw = secret.encode("ascii")
    ways = {raw[:12], raw[-12:], raw.hex().encode("ascii"),
            urllib.parse.quote(secret, safe="").encode("ascii")}
    for shift in range(3):
        # The text before the secret shifts its base64; only the edges depend on that text.
        text = base64.b64encode(b"\0" * shift + raw)
        ways.add(text[4 if shift else 0:-4])
    return ways


class Cloud:
    """A simulator, used for one life after another."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="lessor-kill-sim-")
        with open(self.home + "/log", "wb") as log:
            self.process = subprocess.Popen(
                [need("HETZNER_SIM"), "--listen", "127.0.0.1:0", "--port-file",
                 self.home + "/port", "--speed", "200", "--rate-limit", "off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = await_port(self.home + "/port", self.process)

    def sim(self, method, path, body=None):
        answer = ask(self.port, method, "/_sim/" + path, body)
        if answer is None or answer[0] != 200:
            raise Wrong(f"the simulator: {path}: {answer}")
        return answer[1]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class Life:
    """One life of a lease; `place` is the point at which the first daemon is killed."""

    def __init__(self, cloud, template, place):
        self.cloud = cloud
        self.place = place
        self.home = tempfile.mkdtemp(prefix="lessor-kill-")
        self.end = time.monotonic() + PATIENCE
        self.process = None
        self.port = 0
        self.starts = 0
        self.killed = False
        self.lease = "cbx_" + secrets.token_hex(6)
        self.attempt = "cat_" + secrets.token_hex(16)
        shutil.copytree(template, self.home, dirs_exist_ok=True)
        with open(template + "/client", encoding="ascii") as f:
            self.token = f.read().strip()
        with open(template + "/operator", encoding="ascii") as f:
            self.operator_token = f.read().strip()
        with open(self.home + "/conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(home=self.home, providers=need("LESSOR_PROVIDERS"),
                                  sim=cloud.port))
        cloud.sim("POST", "reset")
        cloud.sim("POST", "config", {"rate_on": False})

    # -- the daemon

    def start(self):
        """The first daemon does not start before the simulator knows its pid."""
        environment = dict(os.environ, LESSOR_CRASH_COUNT=self.home + "/points")
        if self.starts == 0 and self.place and self.place[0] == "point":
            environment["LESSOR_CRASH_AT"] = str(self.place[1])
        port_file = f"{self.home}/port{self.starts}"
        with open(self.home + "/log", "ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", "read go; exec \"$@\"", "sh", need("LESSORD"), "--config",
                 self.home + "/conf", "--port-file", port_file], env=environment,
                stdin=subprocess.PIPE, stdout=log, stderr=log)
        if self.starts == 0 and self.place and self.place[0] != "point":
            self.cloud.sim("POST", "faults", {
                "match": {"nth": self.place[1]},
                "fault": {"kind": "signal", "at": self.place[0], "pid": self.process.pid}})
        self.starts += 1
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()
        self.port = await_port(port_file, self.process) or 0

    def alive(self):
        """Restarts it if it has ended; an exit other than our SIGKILL (-9) is a failure."""
        if self.process is None:
            self.start()
        code = self.process.poll()
        while code is not None:
            if code != -signal.SIGKILL:
                raise Wrong(f"lessord exited by itself: {code}")
            self.killed = True
            if self.starts > 3:
                raise Wrong("killed more than once")
            self.start()
            code = self.process.poll()

    # -- the client

    def ask(self, method, path, body=None, token=None):
        """Repeats the request until the response is not a temporary failure."""
        def answered():
            self.alive()
            answer = ask(self.port, method, path, body, token or self.token)
            return answer if answer is not None and answer[0] < 500 else None
        return self.until(answered, f"no response to {method} {path}")

    def until(self, done, why):
        """Fails if the condition does not hold in time."""
        try:
            return until(done, self.end - time.monotonic(), why)
        except AssertionError as e:
            raise Wrong(str(e)) from None

    def wait(self, what, done):
        def look():
            status, answer = self.ask("GET", "/v1/leases/" + self.lease)
            if status != 200:
                raise Wrong(f"cannot read the lease: {status} {answer}")
            seen.append(answer)
            return done(answer["lease"])
        seen = []
        self.until(look, lambda: f"never {what}: {seen[-1]}")

    def live(self):
        status, answer = self.ask("POST", "/v1/leases", {
            "leaseID": self.lease, "createAttemptID": self.attempt, "slug": "kill",
            "provider": "hetzner", "class": "standard", "sshPublicKey": KEY,
            "ttlSeconds": 3600, "idleTimeoutSeconds": 3600})
        if status not in (200, 201, 202):
            raise Wrong(f"create: {status} {answer}")
        self.wait("active", lambda l: l["state"] == "active" and l["host"])
        status, answer = self.ask("POST", f"/v1/leases/{self.lease}/release", {"delete": True})
        if status != 200:
            raise Wrong(f"release: {status} {answer}")
        self.wait("cleaned up", lambda l: l["state"] == "released" and not any(
            l.get(k) for k in ("cleanupStartedAt", "cleanupError", "cleanupRetryAt")))
        self.settle()

    def settle(self):
        """Nothing may be left but one sentinel. Running steps may finish first."""
        def is_settled():
            state = self.cloud.sim("GET", "state")
            keys = [k["name"] for k in state["ssh_keys"]]
            marks = [k for k in keys if "account-mark" in k]
            rest = [s["name"] for s in state["servers"] + state["primary_ips"]]
            rest += [k for k in keys if k not in marks]
            if rest:
                raise Wrong(f"left in the cloud: {rest}, sentinels: {marks}")
            self.alive()
            # A later probe may have to create the sentinel again.
            return len(marks) == 1
        self.until(is_settled, "the account does not have exactly one sentinel")

    def keeps_secrets(self):
        with open(self.home + "/token", encoding="ascii") as f:
            ways = ways_to_write(f.read().strip())
        ways |= {t.encode("ascii") for t in (self.token, self.operator_token)}
        for name in ("log", "lessor.db", "lessor.db-wal", "lessor-runs.db", "lessor-runs.db-wal"):
            try:
                with open(self.home + "/" + name, "rb") as f:
                    text = f.read()
            except FileNotFoundError:
                continue
            if any(way in text for way in ways):
                raise Wrong(f"{name} contains a token")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def points(self):
        try:
            with open(self.home + "/points", encoding="ascii") as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def close(self):
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def explain(self):
        with open(self.home + "/log", encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-40:])


def make_template():
    """A home directory whose store contains a client's and an operator's token."""
    home = tempfile.mkdtemp(prefix="lessor-kill-template-")
    private(home + "/token", f"simulated-{secrets.token_hex(24)}\n")
    for name, role in (("client", "user"), ("operator", "admin")):
        token = subprocess.run([need("LESSORD"), "token", "add", "--owner", "kill", "--role",
                                role, "--store", home + "/lessor.db"], check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        private(home + "/" + name, token.decode("ascii"))
    return home


def run(clouds, template, place):
    """The failure or None, and whether lessord was killed."""
    cloud = clouds.get()
    life = Life(cloud, template, place)
    try:
        life.live()
        life.keeps_secrets()
        return None, life.killed, life.points()
    except Wrong as e:
        return f"{place}: {e}\n{life.explain()}", life.killed, []
    finally:
        life.close()
        clouds.put(cloud)


def places_of(what, clouds, template):
    """Runs one life without a kill and counts its points."""
    wrong, _, points = run(clouds, template, None)
    if wrong:
        print(wrong)
        sys.exit(1)
    if what == "points":
        if not points:
            print("this lessord was built without LESSOR_CRASH_POINTS")
            sys.exit(77)
        print(f"{len(points)} points: " + ", ".join(
            f"{points.count(p)} {p}" for p in sorted(set(points))))
        return [("point", k) for k in range(1, len(points) + 1)]
    cloud = clouds.get()
    requests = cloud.sim("GET", "state")["requests"]
    clouds.put(cloud)
    print(f"{requests} requests to the provider")
    return [(at, k) for k in range(1, requests + 1) for at in ("before", "after", "answered")]


def main():
    what = sys.argv[1] if len(sys.argv) == 2 else ""
    if what not in ("calls", "points"):
        sys.exit("usage: kill.py calls|points")
    for name in ("LESSORD", "LESSOR_PROVIDERS", "HETZNER_SIM"):
        need(name)
    started = time.monotonic()
    template = make_template()
    # The first life counts the points, with the first simulator.
    first = Cloud()
    clouds = queue.Queue()
    clouds.put(first)
    everyone = [first]
    try:
        places = places_of(what, clouds, template)
        for _ in range(WORKERS - 1):
            everyone.append(Cloud())
            clouds.put(everyone[-1])
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            results = list(pool.map(lambda p: run(clouds, template, p), places))
    finally:
        for cloud in everyone:
            cloud.close()
        shutil.rmtree(template, ignore_errors=True)
    wrong = [r[0] for r in results if r[0]]
    for text in wrong[:5]:
        print(text)
    print(f"{len(results)} lives in {time.monotonic() - started:.0f} s, "
          f"{sum(r[1] for r in results)} of them killed, {len(wrong)} failed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
