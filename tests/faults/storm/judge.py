# SPDX-License-Identifier: MIT
"""Compares what clients were told during a storm with what really happened in the cloud.

`requests`: one dict for each request of a client and its answer, as clients.py writes them.
`events`: the history of the simulated cloud, which no fault can falsify. Each request carries the
number of the newest event that had certainly happened before it was sent, `mark`. The judge
knows nothing of how lessord works: it looks at promises only. The order of the requests to one
lease is another program's task (linear/)."""

import collections

IDLE = 3600  # seconds that each lease may be idle


class Judge:
    """Each method returns its violations as a list of sentences."""

    def __init__(self, requests, events, foreign, caps=None, restores=()):
        """`foreign`: (kind, id) of what others created. `caps`: the most leases of each owner, and
        of all under the name "". `restores`: for each restore, the number of the newest event at
        its backup, and when it was put back."""
        self.requests = sorted(requests, key=lambda r: r["call"])
        self.events = events
        self.foreign = set(foreign)
        self.caps = caps or {}
        self.restores = [restore for _, restore in restores]
        self.forgotten = list(restores)
        self.of_lease = collections.defaultdict(list)
        for r in self.requests:
            self.of_lease[r["lease"]].append(r)

    def all(self, state):
        return (self.left(state) + self.kept() + self.touched(state) + self.over_caps() +
                self.doubled() + self.invented() + self.expired())

    # -- P1

    def left(self, state):
        """At the end, when clients have released everything and waited: nothing may exist that
        we are billed for, or that is ours at all, but one sentinel per account."""
        wrong, marks = [], collections.Counter()
        for plural, kind in (("servers", "server"), ("primary_ips", "primary_ip"),
                             ("ssh_keys", "ssh_key")):
            for thing in state[plural]:
                if "account-mark" in thing["name"]:
                    marks[thing.get("project", 0)] += 1
                elif (kind, thing["id"]) not in self.foreign and \
                        "account-key" not in thing["name"] and \
                        not self.is_forgotten(kind, thing["id"]):
                    wrong.append("P1: left behind: %s %s %s of lease %s" % (
                        kind, thing["id"], thing["name"], thing["lease"] or "-"))
        wrong += ["P1: account %d has %d sentinels" % pair for pair in marks.items()
                  if pair[1] > 1]
        return wrong

    def is_forgotten(self, kind, number):
        """Was it made after a backup, and forgotten with its restore? Then a sweep reports it to
        an operator, who is not part of this."""
        made = [e["seq"] for e in self.events if e["what"] == "created" and
                (e["kind"], e["id"]) == (kind, number)]
        return any(backup < made[0] <= restore for backup, restore in self.forgotten) \
            if made else False

    # -- P2

    def kept(self):
        """After a no-delete release was acknowledged, only a delete that its client might have
        meant to come later deletes anything of that lease."""
        wrong = []
        for event in self.events:
            if event["what"] != self.ends(event) or event["who"] == "human":
                continue
            for keep in self.of_lease[event["lease"]]:
                if keep["kind"] == "keep" and keep["status"] == 200 and \
                        keep["phase"] == "kept" and self.outlives(keep, event) and \
                        not self.allowed(keep, event):
                    wrong.append("P2: %s %d of lease %s was deleted (event %d) although it was "
                                 "released without delete (client %d at %d)" % (
                                     event["kind"], event["id"], event["lease"], event["seq"],
                                     keep["client"], keep["call"]))
                    break
        return wrong

    @staticmethod
    def ends(event):
        """A server's delete is requested first, and then happens by itself."""
        return {"server": "delete_requested", "ssh_key": "deleted"}.get(event["kind"], "-")

    def outlives(self, keep, event):
        """What was only recorded may be forgotten by a restore; what is protected may not."""
        since = sum(1 for mark in self.restores if mark < event["seq"])
        return keep["era"] >= since or keep["retention"] == "protected"

    def allowed(self, keep, event):
        return any(d["kind"] == "delete" and (not d["return"] or d["return"] > keep["call"])
                   and d["mark"] < event["seq"] and (not d["status"] or d["status"] < 400
                                                      or d["status"] >= 500)
                   for d in self.of_lease[event["lease"]])

    # -- P3

    def touched(self, state):
        wrong = ["P3: %s %d (%s) is not ours: %s by %s (event %d)" % (
            e["kind"], e["id"], e["name"], e["what"], e["who"], e["seq"])
            for e in self.events if (e["kind"], e["id"]) in self.foreign and
            e["who"] not in ("human", "cloud")]
        there = {("server", s["id"]) for s in state["servers"]}
        there |= {("ssh_key", k["id"]) for k in state["ssh_keys"]}
        there |= {("primary_ip", i["id"]) for i in state["primary_ips"]}
        people = {(e["kind"], e["id"]) for e in self.events
                  if e["what"] == "deleted" and e["who"] == "human"}
        return wrong + ["P3: a foreign %s is gone: %d" % thing
                        for thing in sorted(self.foreign - there - people)]

    # -- caps, and the rest of what is promised

    def servers(self):
        """For each creation of a server of ours: the event, and what exists just after it."""
        alive = {}
        for e in self.events:
            if e["kind"] != "server" or ("server", e["id"]) in self.foreign:
                continue
            if e["what"] == "created":
                alive[e["id"]] = e["lease"]
                yield e, alive
            elif e["what"] == "deleted":
                alive.pop(e["id"], None)

    def over_caps(self):
        wrong, reported = [], set()
        owners = {r["lease"]: r["owner"] for r in self.requests}
        for event, alive in self.servers():
            if any(mark < event["seq"] for mark in self.restores):
                break  # an older store does not know of all that counts
            count = collections.Counter(owners.get(lease, "?") for lease in alive.values())
            count[""] = len(alive)
            for owner, cap in self.caps.items():
                if count[owner] > cap and owner not in reported:
                    reported.add(owner)
                    wrong.append("caps: %d servers of %s exist at event %d, and the limit is %d" % (
                        count[owner], owner or "all", event["seq"], cap))
        return wrong

    def doubled(self):
        return ["doubled: lease %s has a second server, %d (event %d)" % (
            e["lease"], e["id"], e["seq"]) for e, alive in self.servers()
            if list(alive.values()).count(e["lease"]) > 1]

    def invented(self):
        """A machine that a client was told of has been created, for that lease."""
        made = {(e["lease"], e["id"]) for e in self.events
                if e["kind"] == "server" and e["what"] == "created"}
        told = {(r["lease"], r["server"]) for r in self.requests if r.get("server")}
        return ["invented: lease %s was said to have server %d" % pair
                for pair in sorted(told - made)]

    def expired(self):
        """When blind, nothing ends: whatever was broken or whose clock was wrong, no lease ends by
        time that a client asked for within the last hour (its idle time, clients.py)."""
        wrong = []
        for lease, mine in sorted(self.of_lease.items()):
            told = [r for r in mine if r.get("state") == "expired" and r["return"]]
            if told and told[0]["return"] - mine[0]["call"] < IDLE * 1000000:
                wrong.append("expired: lease %s (client %d at %d)" % (
                    lease, told[0]["client"], told[0]["call"]))
        return wrong
