#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""real.py [--all] [--only TEXT]: whole lives of the real lessord against the real
hetzner-sim, killed at the k-th request to the provider.

The simulator sends the SIGKILL itself: when the request has come and nothing is done
yet, when it is done and not answered, or when it is answered. lessord is started again
on the same store, the client asks again as clients do, and at the end the simulator's
truth is read: nothing of ours is left, nothing of a stranger's was touched, what was to
be kept was kept, no key went before its server, no lease ever had two servers, and no token
is in the log or in the store.

Every request is hit in every scenario; without --all in one of the three ways, taken
in turn. A case that goes wrong prints its name, which --only takes.

From the environment: LESSORD, LESSOR_PROVIDERS, HETZNER_SIM. Exit: 0, 1, or 77 when one
of them is missing."""

import argparse
import concurrent.futures
import http.server
import queue
import shutil
import sys
import threading
import time

import kill
from kill import Wrong

# Most lives wait most of the time: for a delete to be believed, for a machine to boot.
WORKERS = 24
WAYS = ("before", "after", "answered")


REDIRECTED = ("s.create", "s.list", "k.delete")


class Elsewhere:
    """Another host, to which nobody should go; remembers who did, and what they brought."""

    def __init__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                asked.append((self.command, self.path, self.headers.get("Authorization")))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Life(kill.Life):
    """One life; a scenario is a method of this class."""

    def __init__(self, cloud, template, scenario, place):
        super().__init__(cloud, template, place)
        self.scenario = scenario
        self.strangers = {}
        self.elsewhere = None
        if scenario in ("canceled", "kept_early", "canceled_late"):
            self.set_conf("create_wait = 5s", "create_wait = 0s")
        if scenario == "redirected":
            self.elsewhere = Elsewhere()
        if scenario == "account_keys":
            self.set_conf("poll = 50ms", "poll = 50ms\nkeys = account")
        self.stranger()

    def set_conf(self, old, new):
        with open(self.home + "/conf", encoding="ascii") as f:
            text = f.read()
        if old not in text:
            raise Wrong("no such line: " + old)
        kill.private(self.home + "/conf", text.replace(old, new))

    def stranger(self):
        """A server and a key of a person's, labelled as if a lessor had made them."""
        labels = {"lessor-lease": self.lease, "lessor-kind": "server"}
        for kind, name in (("server", "theirs"), ("ssh_key", "their-key")):
            self.cloud.sim("POST", "human", {"verb": "create", "kind": kind, "name": name,
                                             "labels": labels})
        state = self.cloud.sim("GET", "state")
        self.strangers = {("server", s["id"]) for s in state["servers"]}
        self.strangers |= {("ssh_key", k["id"]) for k in state["ssh_keys"]}
        self.strangers |= {("primary_ip", i["id"]) for i in state["primary_ips"]}

    def close(self):
        super().close()
        if self.elsewhere:
            self.elsewhere.close()

    # -- what a client does

    def create(self, ttl=3600):
        status, answer = self.ask("POST", "/v1/leases", {
            "leaseID": self.lease, "createAttemptID": self.attempt, "slug": "real",
            "provider": "hetzner", "class": "standard", "sshPublicKey": kill.KEY,
            "ttlSeconds": ttl, "idleTimeoutSeconds": 3600})
        # With a very short life it may be over before there is an answer.
        if status not in (200, 201, 202) and (status != 409 or ttl > 1):
            raise Wrong(f"create: {status} {answer}")

    def active(self):
        self.wait("active", lambda l: l["state"] == "active" and l["host"])

    def release(self, delete):
        status, answer = self.ask("POST", f"/v1/leases/{self.lease}/release",
                                  {"delete": delete})
        if status != 200:
            raise Wrong(f"release: {status} {answer}")

    def cleaned(self, *states):
        self.wait("cleaned up", lambda l: l["state"] in states and not any(
            l.get(k) for k in ("cleanupStartedAt", "cleanupError", "cleanupRetryAt")))

    def until_ordered(self):
        """A server was asked for, or the daemon died before it could."""
        def is_ordered():
            self.alive()
            return self.cloud.sim("GET", "calls")["total"].get("s.create", 0)
        self.until(is_ordered, "never ordered a server")

    # -- the scenarios

    def plain(self):
        self.create()
        self.active()
        self.release(True)
        self.cleaned("released")

    account_keys = plain

    def fallback(self):
        """The first type is sold out, the second one's server is made and breaks."""
        self.plain()

    def lost(self):
        """The answers to both creates are lost, whatever else happens."""
        self.plain()

    def alive(self):
        super().alive()
        if self.elsewhere and self.elsewhere.asked:
            raise Wrong(f"asked elsewhere: {self.elsewhere.asked[0]}")

    def redirected(self):
        """The provider says that it is elsewhere. The credential never goes there."""
        for n, op in enumerate(REDIRECTED):
            self.cloud.sim("POST", "faults", {
                # The mark of the account is the first key that is made.
                "match": {"op": op}, "skip": int(op == "k.create"),
                "fault": {"kind": "redirect", "status": (302, 307)[n % 2],
                          "to": f"http://127.0.0.1:{self.elsewhere.port}/v1/"}})
        self.plain()
        hits = [f["hits"] for f in self.cloud.sim("GET", "faults")["faults"]
                if f["fault"]["kind"] == "redirect"]
        if not all(hits):
            raise Wrong(f"redirects met: {hits}")

    def canceled(self):
        self.create()
        self.release(True)
        self.cleaned("released")

    def canceled_late(self):
        self.create()
        self.until_ordered()
        self.release(True)
        self.cleaned("released")

    def expiry(self):
        self.create(ttl=1)
        self.cleaned("expired", "failed")

    def kept(self):
        self.create()
        self.active()
        self.keep_then_delete()

    def kept_early(self):
        """Kept while the machine is being made: what it became must stay."""
        self.create()
        self.until_ordered()
        self.keep_then_delete()

    def keep_then_delete(self):
        self.release(False)
        self.wait("kept", lambda l: l["state"] == "released")
        # All that is in doubt is settled: what was made is known, and nothing else.
        def is_settled():
            self.alive()
            return not self.unsettled()
        self.until(is_settled, "it is still in doubt what was made")
        kept = self.ours()
        if not any(kind == "server" for kind, _ in kept):
            raise Wrong(f"kept, and there is no server: {kept}")
        self.alive()
        self.process.terminate()
        code = self.process.wait(20)
        if code not in (0, -9):
            raise Wrong(f"SIGTERM: {code}")
        if code == -9:
            self.killed = True
        self.start()
        self.alive()
        status, _ = self.ask("GET", "/v1/leases/" + self.lease)
        deletes = [e for e in self.history() if e["what"] in ("delete_requested", "deleted")]
        if deletes or self.ours() != kept or status != 200:
            raise Wrong(f"kept, and not left alone: {deletes} {kept} {self.ours()}")
        self.release(True)
        self.wait("deleted or in attention", lambda l: l["state"] == "released" and (
            l.get("attention") or not any(l.get(k) for k in (
                "cleanupStartedAt", "cleanupError", "cleanupRetryAt"))))
        self.unprotected()
        self.cleaned("released")

    def unprotected(self):
        """Whose the protection is may have been lost with the answer. Then nobody but an
        operator lifts it."""
        _, answer = self.ask("GET", "/v1/leases/" + self.lease)
        attention = answer["lease"].get("attention")
        if not attention:
            return
        if not self.killed or "it has delete protection that lessor did not set" not in attention:
            raise Wrong(f"needs an operator: {attention}")
        for server in self.cloud.sim("GET", "state")["servers"]:
            if ("server", server["id"]) not in self.strangers:
                self.cloud.sim("POST", "human", {"verb": "unprotect", "kind": "server",
                                                 "id": server["id"]})
        status, answer = self.ask("POST", f"/v1/admin/leases/{self.lease}/resolve",
                                  {"action": "retry"}, self.operator_token)
        if status != 200:
            raise Wrong(f"resolve: {status} {answer}")

    def unsettled(self):
        """Does the daemon still look for what a lost create may have made?"""
        _, answer = self.ask("GET", "/v1/leases/" + self.lease)
        rows = answer["lease"].get("cleanup", {}).get("residue", [])
        return not rows or any(not r.get("id") for r in rows)

    # -- the truth

    def history(self):
        return self.cloud.sim("GET", "history?after=0")["events"]

    def ours(self):
        state = self.cloud.sim("GET", "state")
        all_there = {("server", s["id"]): s["name"] for s in state["servers"]}
        all_there.update({("ssh_key", k["id"]): k["name"] for k in state["ssh_keys"]})
        all_there.update({("primary_ip", i["id"]): i["name"] for i in state["primary_ips"]})
        for stranger in self.strangers:
            if stranger not in all_there:
                raise Wrong(f"a stranger's {stranger} is gone")
        return {k: n for k, n in all_there.items() if k not in self.strangers
                and "account-mark" not in n and "account-key" not in n}

    def judge(self):
        alive = {}
        servers_gone = set()
        for e in self.history():
            thing = (e["kind"], e["id"])
            if e["who"] == "human":
                continue
            if e["what"] in ("delete_requested", "deleted") and thing in self.strangers:
                raise Wrong(f"a stranger's: {e}")
            if e["kind"] == "server" and e["what"] == "created":
                alive[e["id"]] = e["lease"]
                if list(alive.values()).count(e["lease"]) > 1:
                    raise Wrong(f"a second server of one lease: {e}")
            if e["kind"] == "server" and e["what"] == "deleted":
                alive.pop(e["id"], None)
                servers_gone.add(e["lease"])
            if e["kind"] == "ssh_key" and e["what"] == "deleted" and \
                    e["lease"] in alive.values():
                raise Wrong(f"a key before its server: {e}")

    def live(self):
        if self.scenario == "fallback":
            self.cloud.sim("POST", "catalogue", {"sold_out": [{"type": "ccx33"}]})
            self.cloud.sim("POST", "faults", {
                "match": {"op": "s.create", "server_type": "cpx62"},
                "fault": {"kind": "create_error"}})
        if self.scenario == "lost":
            for op in ("k.create", "s.create"):
                # The mark of the account is the first key that is made.
                self.cloud.sim("POST", "faults", {
                    "match": {"op": op}, "skip": int(op == "k.create"),
                    "fault": {"kind": "lost"}})
        getattr(self, self.scenario)()
        def is_empty():
            self.alive()
            return not self.ours()
        self.until(is_empty, lambda: f"left in the cloud: {self.ours()}")
        self.judge()


# Nobody dies in these: they are about one request, whatever comes before and after.
UNKILLED = ("redirected",)
SCENARIOS = ("plain", "fallback", "lost", "redirected", "canceled", "canceled_late",
             "expiry", "kept", "kept_early", "account_keys")


def run(clouds, template, scenario, place):
    """What went wrong or None, whether it was killed, how many requests there were."""
    cloud = clouds.get()
    life = Life(cloud, template, scenario, place)
    name = f"{scenario} {place[1]} {place[0]}" if place else f"{scenario} 0 never"
    try:
        life.live()
        life.keeps_secrets()
        return None, life.killed, cloud.sim("GET", "state")["requests"]
    except Wrong as e:
        return f"{name}: {e}\n{life.explain()}", life.killed, 0
    finally:
        life.close()
        clouds.put(cloud)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="each request in all three ways")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    options = parser.parse_args()
    started = time.monotonic()
    template = kill.make_template()
    everyone = [kill.Cloud() for _ in range(WORKERS)]
    clouds = queue.Queue()
    for cloud in everyone:
        clouds.put(cloud)
    results = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        try:
            whole = [s for s in SCENARIOS if options.only.startswith(s + " ")
                     or s.startswith(options.only)]
            results = list(pool.map(lambda s: run(clouds, template, s, None), whole))
            places = []
            for n, (scenario, result) in enumerate(zip(whole, results)):
                if scenario in UNKILLED:
                    continue
                for k in range(1, result[2] + 1):
                    ways = WAYS if options.all or options.only else [WAYS[(n + k) % 3]]
                    places += [(scenario, (way, k)) for way in ways
                               if f"{scenario} {k} {way}".startswith(options.only)]
            results += pool.map(lambda p: run(clouds, template, p[0], p[1]), places)
        finally:
            for cloud in everyone:
                cloud.close()
            shutil.rmtree(template, ignore_errors=True)
    wrong = [r[0] for r in results if r[0]]
    for text in wrong[:5]:
        print(text)
    print(f"{len(results)} lives of {len(whole)} scenarios in "
          f"{time.monotonic() - started:.0f} s, {sum(r[1] for r in results)} killed, "
          f"{len(wrong)} went wrong")
    sys.exit(1 if wrong or not results else 0)


if __name__ == "__main__":
    main()
