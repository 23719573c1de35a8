#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""real.py [--all] [--only TEXT]: whole lives of the real lessord against the real
hetzner-sim, killed at the k-th request to the provider.

The simulator sends the SIGKILL itself: after it received the request and before the
effect, after the effect and before the response, or after the response. lessord is
restarted on the same store, and the client repeats its request, as clients do. The state
of the simulator must then show that nothing of ours is left, that nothing foreign was
touched, that retained resources still exist, that no key was deleted before its server,
and that no lease ever had two servers. Neither the log nor the store may contain a token.

lessord is killed at every request of every scenario; without --all in only one of the
three ways, by turns. A failing case prints its name, which --only accepts.

From the environment: LESSORD, LESSOR_PROVIDERS, HETZNER_SIM. Exit: 0 success, 1 failure, or
77 if one of them is missing."""

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

# A life mostly waits: until a delete is confirmed, until a machine boots.
WORKERS = 24
WAYS = ("before", "after", "answered")


REDIRECTED = ("s.create", "s.list", "k.delete")


class Elsewhere:
    """Another host that must receive no request; records each with its credential."""

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
            raise Wrong("the configuration has no such line: " + old)
        kill.private(self.home + "/conf", text.replace(old, new))

    def stranger(self):
        """A person's server and key, with labels as if a lessor had created them."""
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

    # -- the client

    def create(self, ttl=3600):
        status, answer = self.ask("POST", "/v1/leases", {
            "leaseID": self.lease, "createAttemptID": self.attempt, "slug": "real",
            "provider": "hetzner", "class": "standard", "sshPublicKey": kill.KEY,
            "ttlSeconds": ttl, "idleTimeoutSeconds": 3600})
        # A very short lease may end before its create is answered.
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
        """Waits until a server was requested, or the daemon was killed before that."""
        def is_ordered():
            self.alive()
            return self.cloud.sim("GET", "calls")["total"].get("s.create", 0)
        self.until(is_ordered, "no server was requested")

    # -- the scenarios

    def plain(self):
        self.create()
        self.active()
        self.release(True)
        self.cleaned("released")

    account_keys = plain

    def fallback(self):
        """The first type is sold out; the server of the second is created and fails."""
        self.plain()

    def lost(self):
        """The responses to both creates are lost."""
        self.plain()

    def alive(self):
        super().alive()
        if self.elsewhere and self.elsewhere.asked:
            raise Wrong(f"sent to another host: {self.elsewhere.asked[0]}")

    def redirected(self):
        """The provider redirects. The credential must not be sent to the other host."""
        for n, op in enumerate(REDIRECTED):
            self.cloud.sim("POST", "faults", {
                # The sentinel is the first key that is created.
                "match": {"op": op}, "skip": int(op == "k.create"),
                "fault": {"kind": "redirect", "status": (302, 307)[n % 2],
                          "to": f"http://127.0.0.1:{self.elsewhere.port}/v1/"}})
        self.plain()
        hits = [f["hits"] for f in self.cloud.sim("GET", "faults")["faults"]
                if f["fault"]["kind"] == "redirect"]
        if not all(hits):
            raise Wrong(f"a redirect did not occur: {hits}")

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
        """Released without deleting during the create: the machine must stay."""
        self.create()
        self.until_ordered()
        self.keep_then_delete()

    def keep_then_delete(self):
        self.release(False)
        self.wait("retained", lambda l: l["state"] == "released")
        # Until every unknown create is settled.
        def is_settled():
            self.alive()
            return not self.unsettled()
        self.until(is_settled, "the outcome of a create is still unknown")
        kept = self.ours()
        if not any(kind == "server" for kind, _ in kept):
            raise Wrong(f"retained, but there is no server: {kept}")
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
            raise Wrong(f"retained, but changed: {deletes} {kept} {self.ours()}")
        self.release(True)
        self.wait("deleted or in attention", lambda l: l["state"] == "released" and (
            l.get("attention") or not any(l.get(k) for k in (
                "cleanupStartedAt", "cleanupError", "cleanupRetryAt"))))
        self.unprotected()
        self.cleaned("released")

    def unprotected(self):
        """If the response was lost, lessor may not know whose the protection is. Then only an
        operator lifts it."""
        _, answer = self.ask("GET", "/v1/leases/" + self.lease)
        attention = answer["lease"].get("attention")
        if not attention:
            return
        if not self.killed or "it has delete protection that lessor did not set" not in attention:
            raise Wrong(f"unexpected attention: {attention}")
        for server in self.cloud.sim("GET", "state")["servers"]:
            if ("server", server["id"]) not in self.strangers:
                self.cloud.sim("POST", "human", {"verb": "unprotect", "kind": "server",
                                                 "id": server["id"]})
        status, answer = self.ask("POST", f"/v1/admin/leases/{self.lease}/resolve",
                                  {"action": "retry"}, self.operator_token)
        if status != 200:
            raise Wrong(f"resolve: {status} {answer}")

    def unsettled(self):
        """Does the daemon still search for the resource of a lost create?"""
        _, answer = self.ask("GET", "/v1/leases/" + self.lease)
        rows = answer["lease"].get("cleanup", {}).get("residue", [])
        return not rows or any(not r.get("id") for r in rows)

    # -- the simulator's state

    def history(self):
        return self.cloud.sim("GET", "history?after=0")["events"]

    def ours(self):
        state = self.cloud.sim("GET", "state")
        all_there = {("server", s["id"]): s["name"] for s in state["servers"]}
        all_there.update({("ssh_key", k["id"]): k["name"] for k in state["ssh_keys"]})
        all_there.update({("primary_ip", i["id"]): i["name"] for i in state["primary_ips"]})
        for stranger in self.strangers:
            if stranger not in all_there:
                raise Wrong(f"a foreign resource is gone: {stranger}")
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
                raise Wrong(f"a foreign resource was changed: {e}")
            if e["kind"] == "server" and e["what"] == "created":
                alive[e["id"]] = e["lease"]
                if list(alive.values()).count(e["lease"]) > 1:
                    raise Wrong(f"a lease has a second server: {e}")
            if e["kind"] == "server" and e["what"] == "deleted":
                alive.pop(e["id"], None)
                servers_gone.add(e["lease"])
            if e["kind"] == "ssh_key" and e["what"] == "deleted" and \
                    e["lease"] in alive.values():
                raise Wrong(f"a key was deleted before its server: {e}")

    def live(self):
        if self.scenario == "fallback":
            self.cloud.sim("POST", "catalogue", {"sold_out": [{"type": "ccx33"}]})
            self.cloud.sim("POST", "faults", {
                "match": {"op": "s.create", "server_type": "cpx62"},
                "fault": {"kind": "create_error"}})
        if self.scenario == "lost":
            for op in ("k.create", "s.create"):
                # The sentinel is the first key that is created.
                self.cloud.sim("POST", "faults", {
                    "match": {"op": op}, "skip": int(op == "k.create"),
                    "fault": {"kind": "lost"}})
        getattr(self, self.scenario)()
        def is_empty():
            self.alive()
            return not self.ours()
        self.until(is_empty, lambda: f"left in the cloud: {self.ours()}")
        self.judge()


# lessord is not killed in these: they test single requests.
UNKILLED = ("redirected",)
SCENARIOS = ("plain", "fallback", "lost", "redirected", "canceled", "canceled_late",
             "expiry", "kept", "kept_early", "account_keys")


def run(clouds, template, scenario, place):
    """The failure or None, whether lessord was killed, and the number of requests."""
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
    parser.add_argument("--all", action="store_true", help="kill at each request in all three ways")
    parser.add_argument("--only", default="", help="run only cases whose names begin with this")
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
          f"{len(wrong)} failed")
    sys.exit(1 if wrong or not results else 0)


if __name__ == "__main__":
    main()
