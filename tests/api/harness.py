# SPDX-License-Identifier: MIT
"""Starts a real lessord and a real hetzner-sim on loopback and speaks HTTP to them.

The environment names the programs: LESSORD, LESSOR_PROVIDERS (the plugin directory) and
HETZNER_SIM. The harness uses only lessord's command line, its configuration file and the
HTTP contract. With LESSOR_TEST_STORE=postgresql each broker's store is a new database of a
throw-away server (postgres.py), one for all brokers of a program; otherwise a SQLite file.
"""

import base64
import calendar
import datetime
import http.client
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest


def new_key():
    """A public key that belongs to nobody: any 32 bytes are valid."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secrets.token_bytes(32)
    return "ssh-ed25519 " + base64.b64encode(blob).decode("ascii")


KEY = new_key()
CLOUD_TOKEN = "simulated-token-that-is-long-enough-to-be-one-0123456789ab"

CONFIG = """\
[server]
listen = 127.0.0.1:0
{file}
providers = {providers}
create_wait = {create_wait}
release_wait = {release_wait}
settle = 1s
log_level = {log_level}
{server}

{store}
[limits]
{limits}

[account hetzner]
provider = hetzner
locations = fsn1, nbg1
image = ubuntu-24.04
images = ubuntu-24.04, debian-12
token_file = {home}/token
endpoint = http://127.0.0.1:{port}/v1
poll = 50ms
{accounts}
"""


# Programs that do not run with PostgreSQL as the store, and why. tests/api/CMakeLists.txt lists
# those that do; test_postgres.py tests that each is in one of the two.
SQLITE_ONLY = {
    "backup": "it copies the two files",
    "check": "it has servers of its own",
    "clock": "clocks do not depend on the store; PostgreSQL's clock is tests/faults/storm's",
    "copies": "it copies, moves and replaces the file",
    "disk": "it fills the disk that the file is on",
    "event_order": "it has several daemons",
    "event_restore": "it has servers of its own",
    "failover": "it has servers of its own",
    "files": "secrets and configuration do not depend on the store",
    "hostile": "it ends in the parser, before the store",
    "journal": "the journal does not depend on the store",
    "lock": "it takes the lock of the file",
    "migrate": "it has a server of its own",
    "misbehave": "providers do not depend on the store",
    "page": "files that are compiled in do not depend on the store",
    "place": "it tests what a plugin is asked for",
    "ports": "it needs no store",
    "postgres": "it tests the servers themselves",
    "pressure": "it tests connections",
    "resolver": "it has a server of its own",
    "retired": "it tests what a plugin says",
    "runs_file": "run history has no file of its own",
    "service": "the service manager does not depend on the store",
    "store_gone": "it takes the file away",
    "texts": "it takes long, and its texts do not depend on the store",
    "tls": "it ends before the store",
    "token_file": "tokens of providers are in no store",
}


def is_postgresql():
    return os.environ.get("LESSOR_TEST_STORE") == "postgresql"


def sqlite_only(reason):
    """A test that does not run with PostgreSQL as the store."""
    return unittest.skipIf(is_postgresql(), "SQLite only: " + reason)


CLUSTER = []


def cluster():
    """The PostgreSQL server of this program. It ends with it."""
    # It uses this module.
    import postgres  # pylint: disable=import-outside-toplevel
    if not CLUSTER:
        if postgres.missing():
            skip(postgres.missing())
        CLUSTER.append(postgres.Cluster())
    return CLUSTER[0]


def skip(why):
    print("1..0 # SKIP " + why)
    sys.exit(77)


def need(name):
    value = os.environ.get(name, "")
    if not value or not os.path.exists(shlex.split(value)[-1]):
        skip("%s is missing: %r" % (name, value))
    return value


# In seconds. A deadline only ends a test that has already failed; this one is long enough for
# the busiest machine.
PATIENCE = 60


def month_is_ending():
    """Will the month end within three hours? Then what is created now takes of two months."""
    now = time.time()
    month = time.gmtime(now)
    days = calendar.monthrange(month.tm_year, month.tm_mon)[1]
    return (days - month.tm_mday) * 86400 + 86400 - now % 86400 < 3 * 3600


def until(what, seconds=PATIENCE, why="the condition did not come true"):
    """Polls `what` and returns its first true value, for actions of another process that offer
    no event. Nothing else in these tests sleeps. `why`: the message on timeout, or a function
    that returns it."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("%s (waited %d s)" % (why() if callable(why) else why, seconds))
        time.sleep(0.02)


def wait_for(path, process, seconds=PATIENCE):
    """Returns the number that a program writes to a file when it is ready."""
    def number():
        # Polled first, so that a file written just before the exit is still found.
        ended = process.poll()
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                text = file.read()
            if text.endswith("\n"):
                return text
        if ended is not None:
            raise RuntimeError("the process exited before it was ready: %d" % ended)
        return None
    return int(until(number, seconds, "the process did not become ready"))


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.body = response.read()
        try:
            self.json = json.loads(self.body)
        except ValueError:
            self.json = None

    @property
    def lease(self):
        return self.json["lease"]

    @property
    def error(self):
        return self.json.get("error") if isinstance(self.json, dict) else None

    def __repr__(self):
        return "%d %r" % (self.status, self.body[:400])


class Broker:
    """One lessord and its simulated cloud. start() and kill() may be called repeatedly."""

    def __init__(self, create_wait="20s", release_wait="20s", server="", limits="",
                 log_level="notice", sim_options=(), accounts=""):
        self.home = tempfile.mkdtemp(prefix="lessor-api-")
        self.lessord = need("LESSORD")
        self.process = None
        self.port = 0
        with open(self.home + "/sim-log", "wb") as log:
            self.cloud = subprocess.Popen(
                shlex.split(need("HETZNER_SIM")) +
                ["--listen", "127.0.0.1:0", "--port-file", self.home + "/sim-port",
                 "--token", CLOUD_TOKEN, "--speed", "100", *sim_options],
                stdout=subprocess.DEVNULL, stderr=log)
        port = wait_for(self.home + "/sim-port", self.cloud)
        with open(self.home + "/token", "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(CLOUD_TOKEN + "\n")
        with open(self.home + "/conf", "w", encoding="ascii") as file:
            file.write(CONFIG.format(home=self.home, providers=need("LESSOR_PROVIDERS"),
                                     create_wait=create_wait, release_wait=release_wait,
                                     server=server, limits=limits, log_level=log_level, port=port,
                                     accounts=accounts, **self.store()))
        self.sim_port = port
        self.alice = self.token("alice@example.com", "acme", "user")
        self.bob = self.token("bob@example.com", "acme", "user")
        self.reader = self.token("rita@example.com", "acme", "reader")
        self.admin = self.token("root@example.com", "ops", "admin")
        self.start()

    def store(self):
        """What the configuration says about the store."""
        if is_postgresql():
            return {"file": "", "store": "[store]\nurl = %s\nstate_dir = %s\n" % (
                cluster().database(), self.home)}
        return {"file": "store = %s/store" % self.home, "store": ""}

    def edit(self, old, new):
        with open(self.home + "/conf", encoding="ascii") as file:
            text = file.read()
        if old not in text:
            raise AssertionError("%r is not in the configuration" % old)
        with open(self.home + "/conf", "w", encoding="ascii") as file:
            file.write(text.replace(old, new))

    def token(self, owner, org, role):
        return subprocess.run(
            [self.lessord, "token", "add", "--config", self.home + "/conf", "--owner", owner,
             "--org", org, "--role", role], check=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout.decode("ascii").strip()

    def revoke(self, token):
        subprocess.run([self.lessord, "token", "revoke", token[4:20], "--config",
                        self.home + "/conf"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def start(self):
        path = self.home + "/port"
        if os.path.exists(path):
            os.unlink(path)
        with open(self.home + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [self.lessord, "--config", self.home + "/conf", "--port-file", path],
                stdout=subprocess.DEVNULL, stderr=log)
        self.port = wait_for(path, self.process)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self):
        # If lessord has already exited, its last log lines say why.
        ended = self.process.poll()
        if ended is None:
            ended = self.kill(signal.SIGTERM)
        said = self.log()
        self.cloud.terminate()
        self.cloud.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)
        if ended != 0:
            raise AssertionError("lessord exited with %d: %s" % (ended, said[-20000:]))

    def log(self):
        with open(self.home + "/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def cli(self, *words, token=None, code=0):
        """Runs lessor, by default as an admin. Returns its output, stderr last."""
        done = subprocess.run([need("LESSOR"), *words], stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.PIPE, text=True, check=False, env={
                                  "HOME": self.home, "PATH": os.environ["PATH"],
                                  "LESSOR_URL": "http://127.0.0.1:%d" % self.port,
                                  "LESSOR_TOKEN": token or self.admin})
        if done.returncode != code:
            raise AssertionError("%s: exit %d: %s%s" % (words, done.returncode, done.stdout,
                                                        done.stderr))
        return done.stdout + done.stderr

    def metric(self, name):
        """The value of a metric, named with its labels as printed; None if it is missing."""
        for line in self.ask("GET", "/v1/metrics", self.reader).body.decode("utf-8").split("\n"):
            if line.startswith(name + " "):
                return float(line.split(" ")[1])
        return None

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, token=None, body=None, headers=None, connection=None):
        """`body`: None, bytes, or a value to encode as JSON."""
        fields = {"User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"}
        if token:
            fields["Authorization"] = "Bearer " + token
        if body is not None:
            fields["Content-Type"] = "application/json"
            if not isinstance(body, bytes):
                body = json.dumps(body).encode("utf-8")
        fields.update(headers or {})
        own = connection is None
        connection = connection or self.connect()
        connection.request(method, path, body, fields)
        answer = Answer(connection.getresponse())
        if own:
            connection.close()
        return answer

    def sim(self, method, path, body=None):
        """Sends a request to the simulated cloud directly, without the broker and its token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=PATIENCE + 10)
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = Answer(connection.getresponse())
        connection.close()
        if answer.status // 100 != 2:
            raise AssertionError("%s %s: %r" % (method, path, answer))
        return answer.json

    def sim_wait(self, condition):
        """Waits for a condition of the cloud; sdk/sim/README.md lists the conditions."""
        self.sim("GET", "/_sim/wait?%s&timeout_ms=%d" % (condition, PATIENCE * 1000))

    def servers(self):
        """What the cloud really has."""
        return self.sim("GET", "/_sim/state")["servers"]

    def fault(self, op, kind, count="always", **args):
        """Injects a fault into the cloud, with texts that no response of lessord may contain."""
        self.sim("POST", "/_sim/faults", {"match": {"op": op}, "count": count,
                                          "fault": dict({"kind": kind}, **args)})

    def no_faults(self):
        self.sim("DELETE", "/_sim/faults")

    def cloud_ask(self, method, path, body=None):
        """Acts as a person at the provider."""
        connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=10)
        connection.request(method, "/v1" + path, json.dumps(body) if body is not None else None, {
            "Content-Type": "application/json", "Authorization": "Bearer " + CLOUD_TOKEN})
        answer = Answer(connection.getresponse())
        connection.close()
        if answer.status // 100 != 2:
            raise AssertionError("%s %s: %r" % (method, path, answer))
        return answer.json


def moment(text):
    """Converts a timestamp of a response to seconds since the epoch, like time.time()."""
    return datetime.datetime.strptime(text + "+0000", "%Y-%m-%dT%H:%M:%S.%fZ%z").timestamp()


def new_id():
    return "cbx_" + secrets.token_hex(6)


def new_attempt():
    return "cat_" + secrets.token_hex(16)


def cli_body(lease_id=None, **changes):
    """A create as the crabbox CLI sends it for hetzner and linux, with all its extra fields."""
    lease_id = lease_id or new_id()
    body = {
        "leaseID": lease_id, "createAttemptID": new_attempt(),
        "slug": "box-" + lease_id[4:], "provider": "hetzner", "target": "linux",
        "windowsMode": "normal", "profile": "default", "class": "beast",
        "serverType": "ccx63", "serverTypeExplicit": False, "location": "fsn1",
        "image": "ubuntu-24.04", "architecture": "amd64", "sshUser": "crabbox",
        "sshPort": "2222", "sshFallbackPorts": ["22"],
        "sshPublicKey": new_key() + " crabbox " + lease_id,
        "providerKey": "crabbox-" + lease_id.replace("_", "-"), "workRoot": "/work/crabbox",
        "ttlSeconds": 5400, "idleTimeoutSeconds": 1800, "keep": True, "desktop": False,
        "browser": False, "code": False, "tailscale": False, "desktopEnv": "xfce",
        "tailscaleTags": ["tag:crabbox"], "tailscaleHostname": "", "tailscaleExitNode": "",
        "tailscaleExitNodeAllowLanAccess": False, "pond": "", "exposedPorts": None,
        "hostId": "", "hostID": "", "awsRegion": "eu-west-1", "awsAMI": "",
        "awsSnapshot": "", "awsSGID": "", "awsSubnetID": "", "awsProfile": "",
        "awsRootGB": 400, "awsSSHCIDRs": None, "awsSSHCIDRsPinned": False,
        "awsMacHostID": "", "azureLocation": "", "azureSnapshot": "",
    }
    body.update(changes)
    return {k: v for k, v in body.items() if v is not ...}


class BrokerCase(unittest.TestCase):
    """One broker for all tests of a class; each test creates its own leases."""

    options = {}

    @classmethod
    def setUpClass(cls):
        cls.broker = Broker(**cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()

    def ask(self, *args, **more):
        return self.broker.ask(*args, **more)

    def create(self, token=None, **changes):
        answer = self.ask("POST", "/v1/leases", token or self.broker.alice, cli_body(**changes))
        self.assertEqual(answer.status, 201, answer)
        return answer.lease

    def release(self, lease, token=None, **body):
        answer = self.ask("POST", "/v1/leases/%s/release" % lease["id"],
                          token or self.broker.alice, body or {"delete": True})
        self.assertEqual(answer.status, 200, answer)
        return answer.lease

    def error(self, answer, status, code):
        self.assertEqual((answer.status, answer.error), (status, code), answer)
        if code != "not_found":
            text = answer.body[:600].decode("utf-8")
            for misread in ("http 404", "http 401", "not_found"):
                self.assertNotIn(misread, text)
            self.assertLess(text.find('"message"'), 100)
