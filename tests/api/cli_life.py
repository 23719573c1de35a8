# SPDX-License-Identifier: MIT
"""Whole lease lifecycles with the real lessor, lessord and hetzner-sim."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import CLOUD_TOKEN, PATIENCE, Broker, need, new_key, until  # noqa: E402

# In simulated time, which the harness runs a hundred times as fast as real time.
QUICK = {"create_ms": 3000, "off_ms": 500, "boot_ms": 1000, "lag_ms": 200, "delete_ms": 2000,
         "ip_delete_ms": 500}
SLOW = dict(QUICK, create_ms=600000)


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def id(self):
        return re.search(r"cbx_[0-9a-f]{12}", self.out + self.err).group()


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lessor = need("LESSOR")
        cls.home = tempfile.mkdtemp(prefix="cli-life-")
        cls.socket = cls.home + "/socket"
        cls.broker = Broker(server="listen = unix:" + cls.socket,
                            limits="max_active_per_owner = 3")

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        shutil.rmtree(cls.home)

    def setUp(self):
        self.sim("POST", "/_sim/config", QUICK)
        self.sim("DELETE", "/_sim/faults")
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                    "LESSOR_URL": "unix:" + self.socket, "LESSOR_TOKEN": self.broker.alice}
        os.makedirs(self.home + "/.ssh", exist_ok=True)
        with open(self.home + "/.ssh/id_ed25519.pub", "w", encoding="ascii") as file:
            file.write(new_key() + " me\n")

    def tearDown(self):
        """A failed test must not use up the lease limit of the next one."""
        self.sim("DELETE", "/_sim/faults")
        self.env["LESSOR_TOKEN"] = self.broker.alice
        for lease in self.doc("list")["leases"]:
            self.start("release", lease["id"], "--delete").communicate(timeout=90)

    def sim(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.broker.sim_port, timeout=10)
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": "Bearer " + CLOUD_TOKEN})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertLess(answer.status, 300, text)
        return json.loads(text) if text else None

    def left(self):
        """The servers and lease keys that the cloud really has, without the sentinel."""
        state = self.sim("GET", "/_sim/state")
        return [t for kind in ("servers", "ssh_keys", "keys", "ips", "primary_ips")
                for t in state.get(kind, []) if t.get("lease") not in ("", None, "account")]

    def gone(self):
        until(lambda: not self.left(), why=lambda: "still left: %r" % self.left())

    def start(self, *words):
        return subprocess.Popen([self.lessor, *words], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def finish(self, process, code):
        out, err = process.communicate(timeout=90)
        self.assertEqual(process.returncode, code, out + err + self.broker.log()[-3000:])
        self.assertNotIn(self.env["LESSOR_TOKEN"], out + err)
        return Result(process.returncode, out, err)

    def cli(self, *words, code=0):
        return self.finish(self.start(*words), code)

    def doc(self, *words, code=0):
        return json.loads(self.cli(*words, "--json", code=code).out)

    def test_a_life(self):
        self.assertEqual(self.cli("whoami").out, "alice@example.com of acme\n")
        # The first probe verifies the account; the daemon listens before that.
        until(lambda: "not verified" not in self.cli("providers").out)
        self.assertRegex(self.cli("providers").out, r"hetzner +hetzner +ready")
        made = self.cli("create", "--class", "tiny", "--slug", "my-box", "--ttl", "1h", "--idle",
                        "20m", "--image", "debian-12", "--location", "nbg1")
        self.assertRegex(made.out, r"^ready: [0-9.]+ 2222 crabbox\n"
                         r"ssh -p 2222 crabbox@[0-9.]+\n$")
        self.assertIn("attempt.started", made.err)
        self.assertEqual(len([t for t in self.left() if "server_type" in t]), 1)
        self.assertRegex(self.cli("list").out, r"my-box +active")
        show = self.cli("show", "my-box").out
        self.assertIn("location     nbg1", show)
        self.assertRegex(self.cli("events", "my-box").out, r"server\.\w+")
        self.assertRegex(self.cli("heartbeat", "my-box", "--idle", "30m").out, r"ends in (30|29)m")
        self.assertEqual(self.doc("show", made.id)["lease"]["idleTimeoutSeconds"], 1800)
        usage = self.doc("usage")["usage"]
        self.assertGreaterEqual(usage["activeLeases"], 1)
        # By id: the slug is free again after the release, and this command may start late.
        follow = self.start("events", made.id, "--follow", "--json")
        gone = self.cli("release", "my-box")
        self.assertEqual(gone.out, "released %s (my-box), nothing is left\n" % made.id)
        self.assertEqual(self.left(), [], "the command returns only when everything is gone")
        events = [json.loads(x) for x in self.finish(follow, 0).out.splitlines()]
        self.assertEqual([e["seq"] for e in events], sorted({e["seq"] for e in events}))
        self.assertNotIn(made.id, self.cli("list").out)
        self.assertIn(made.id, self.cli("list", "--all").out)
        self.assertIn(made.id, self.cli("list", "--state", "released").out)
        again = self.cli("release", made.id)
        self.assertIn("nothing is left", again.out)
        self.cli("heartbeat", made.id, code=6)

    def test_a_saved_server_wait_and_keepalive(self):
        """--context ignores what the environment says."""
        with open(self.home + "/token", "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(self.broker.alice)
        url = self.env["LESSOR_URL"]
        self.env.update(LESSOR_URL="http://127.0.0.1:1", LESSOR_TOKEN="lsr_wrong")
        said = self.cli("login", "--url", url, "--name", "home", "--token-file", self.home + "/token")
        self.assertEqual(said.out, f"logged in to {url} as alice@example.com; the context is 'home'\n")
        self.assertIn("LESSOR_URL is set and overrides the context", said.err)
        at = ("--context", "home")
        doc = self.doc("version", *at)
        self.assertEqual(doc["client"], doc["server"])
        made = self.cli("create", "--class", "tiny", "--idle", "15s", "--no-wait", *at)
        self.assertRegex(self.cli("wait", made.id, *at).out, r"^ready: ")
        keeps = self.start("keepalive", made.id, *at)
        self.assertIn("a heartbeat every 5s", keeps.stderr.readline())
        self.cli("release", made.id, "--no-wait", *at)
        self.assertIn("nothing is left", self.cli("wait", made.id, "--for", "gone", *at).out)
        self.assertRegex(self.finish(keeps, 6).err, "has ended: released, ")
        self.assertEqual(self.left(), [])
        said = self.cli("show", "nope", *at, code=3).err
        self.assertIn("there is no lease 'nope' of yours; lessor list --all shows those that ended", said)
        doc = self.doc("create", "--class", "tiny", "--ttl", "1h", "--account", "nope", *at, code=4)
        self.assertEqual((doc["error"], doc["status"]), ("invalid_provider", 400))
        shutil.rmtree(self.home + "/.config")
        self.env["LESSOR_URL"] = url

    def test_kept(self):
        made = self.cli("create", "--class", "tiny", "--keep")
        kept = self.cli("release", made.id)
        self.assertRegex(kept.out, r"kept: .*server \d+")
        self.assertRegex(kept.err, r"costing [0-9.]+ EUR/h until: lessor release cbx_\w+ --delete")
        self.assertEqual(len([t for t in self.left() if "server_type" in t]), 1)
        self.assertRegex(self.cli("list").out, made.id + r".* kept")
        self.assertIn("nothing is left", self.cli("release", made.id, "--delete").out)
        self.gone()

    def test_kept_until(self):
        made = self.cli("create", "--class", "tiny")
        self.cli("release", made.id, "--keep-server", "--until", "7d", "--reason", "its disk")
        kept = self.cli("list", "--retained").out
        self.assertRegex(kept, made.id + r".* server \d+ .*in (7d|6d).*its disk")
        show = self.cli("show", made.id).out
        self.assertRegex(show, r"kept until +\S+ \(in ")
        self.assertRegex(show, r"row \d+: server lessor-\S+, retained")
        self.assertEqual(len([t for t in self.left() if "server_type" in t]), 1)
        self.cli("release", made.id, "--delete")
        self.gone()

    def test_attention_and_resolve(self):
        made = self.cli("create", "--class", "tiny")
        self.sim("POST", "/_sim/faults", {"match": {"op": "s.delete"}, "count": "always",
                                          "fault": {"kind": "protected"}})
        stuck = self.cli("release", made.id, code=8)
        self.assertIn("lessor resolve %s retry" % made.id, stuck.err)
        self.assertIn("lessor resolve %s retry" % made.id, self.cli("show", made.id).out)
        self.assertRegex(self.cli("list", "--attention").out, made.id)
        self.cli("resolve", made.id, "forget", "--reason", "mine", code=4)
        self.sim("DELETE", "/_sim/faults")
        self.assertIn("retrying now", self.cli("resolve", made.id, "retry").out)
        self.gone()
        self.assertIn("retry: by alice@example.com", self.cli("events", made.id).out)

    def test_forget(self):
        made = self.cli("create", "--class", "tiny")
        self.sim("POST", "/_sim/faults", {"match": {"op": "s.delete"}, "count": "always",
                                          "fault": {"kind": "protected"}})
        self.cli("release", made.id, code=8)
        row = re.search(r"row (\d+): server", self.cli("show", made.id).out).group(1)
        self.env["LESSOR_TOKEN"] = self.broker.admin
        self.cli("resolve", made.id, "forget", code=2)
        self.cli("resolve", made.id, "forget", "--resource", row, "--reason", "it is ops' now")
        self.sim("DELETE", "/_sim/faults")
        until(lambda: all("server_type" in t for t in self.left()))
        left = self.left()
        self.assertEqual(["server_type" in t for t in left], [True], "its key goes, it stays")
        self.assertIn("it is ops' now", self.cli("events", made.id).out)
        self.sim("POST", "/_sim/human", {"verb": "delete", "kind": "server", "id": left[0]["id"]})

    def test_sweep(self):
        self.cli("sweep", code=4)
        self.env["LESSOR_TOKEN"] = self.broker.admin
        self.cli("sweep", "--run")
        until(lambda: "sweptAt" in self.doc("sweep")["accounts"][0])
        self.assertRegex(self.cli("sweep").out, r"hetzner: swept .*, \d+ resources of ours, 0 orphans")
        self.assertIn("0 orphans handed to cleanup", self.cli("sweep", "--delete").out)

    def test_fallback_and_failure(self):
        self.sim("POST", "/_sim/faults", {"match": {"op": "s.create", "server_type": "ccx13"},
                                          "count": "always", "fault": {"kind": "sold_out"}})
        made = self.cli("create", "--class", "tiny")
        self.assertRegex(made.err, r"attempt\.refused: attempt 1, ccx13 in fsn1: .*capacity")
        self.assertIn("attempt 1: ccx13", re.sub(r" in \w+", "", self.cli("show", made.id).out))
        self.cli("release", made.id)
        failed = self.cli("create", "--type", "ccx13", code=6)
        self.assertRegex(failed.err, r"create: cbx_\w+ \(.*\) failed")
        self.assertIn("capacity", failed.err)
        self.assertEqual(self.doc("create", "--type", "ccx13", code=6)["lease"]["state"], "failed")
        self.gone()

    def is_asked_for(self):
        """The broker has the lease."""
        return self.doc("list")["leases"]

    def is_ordered(self):
        """The cloud has its server, which is not ready yet."""
        return any("server_type" in t for t in self.left())

    def test_ctrl_c(self):
        self.sim("POST", "/_sim/config", SLOW)
        for moment in (None, self.is_asked_for, self.is_ordered):
            process = self.start("create", "--class", "tiny")
            if moment:
                until(moment)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
            # A signal before main() cannot be caught; nothing has been requested by then.
            early = () if moment else (-signal.SIGINT,)
            self.assertIn(process.returncode, (130, 8) + early, err)
            self.assertEqual(out, "")
            self.gone()

    def test_refusals(self):
        self.cli("show", "cbx_000000000000", code=3)
        made = self.doc("create", "--type", "cx23", "--no-wait")["lease"]
        self.env["LESSOR_TOKEN"] = self.broker.bob
        self.cli("show", made["id"], code=3)
        self.cli("release", made["id"], code=3)
        self.env["LESSOR_TOKEN"] = "lsr_wrong"
        self.cli("list", code=5)
        self.env["LESSOR_TOKEN"] = self.broker.alice
        self.cli("create", "--class", "no-such-class!", code=4)
        self.cli("create", "--image", "windows", code=4)
        for _ in range(2):
            self.cli("create", "--type", "cx23", "--no-wait")
        r = self.cli("create", "--type", "cx23", code=4)
        self.assertRegex(r.err, r"you have 3 of 3: .*\(ends in .*; release one, or: "
                                r"lessor create --wait-for-capacity\n$")
        for lease in self.doc("list")["leases"]:
            self.cli("release", lease["id"])
        self.gone()

    def test_the_broker_dies_in_between(self):
        self.sim("POST", "/_sim/config", SLOW)
        process = self.start("create", "--class", "tiny", "--wait=60s")
        until(self.is_ordered)
        self.broker.kill()
        # It reports this once, when it notices.
        said = ""
        while "retrying" not in said:
            line = process.stderr.readline()
            self.assertTrue(line, said)
            said += line
        self.broker.start()
        made = self.finish(process, 0)
        self.assertRegex(made.out, r"^ready: ")
        self.assertEqual(len([t for t in self.left() if "server_type" in t]), 1)
        self.cli("release", made.id)
        self.gone()


if __name__ == "__main__":
    unittest.main()
