# SPDX-License-Identifier: MIT
"""A broker as its operator sees it on an ordinary day, and the page opened on it."""

import http.client
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "api"), HERE]
from browser import Browser  # noqa: E402
from daemons import West  # noqa: E402
from harness import CLOUD_TOKEN, Broker, cli_body, new_key, until  # noqa: E402,F401

OUT = os.environ.get("PAGE_OUT", "build/tests/page")
LATER = {"Prefer": "respond-async"}
HOSTILE = {
    "markup": "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>",
    "rtl": "\u202egnp.exe \u2066\u05d0\u05d1\u05d2",
    "long": "x" * 10000,
    "odd": "'\"&amp;&#60;b>\u0000\u0007\u001b[31m\t\U0001f600",
}


class Desk:
    """One broker with two accounts, one of them blocked, and leases in every state."""

    def __init__(self, has_leases=True, **options):
        self.west = West()
        self.broker = None
        try:
            options.setdefault("limits", "max_active_per_owner = 3")
            self.broker = Broker(accounts=self.west.section, create_wait="5s", release_wait="5s",
                                 sim_options=("--speed", "1000"), **options)
            until(self.is_priced, why="the catalogue was not read")
            self.leases = {}
            if has_leases:
                self.fill()
        except BaseException:
            self.close()
            raise

    def ask(self, *args, **more):
        return self.broker.ask(*args, **more)

    def is_priced(self):
        return all("hourlyPrice" in kind or "price" in kind for one in
                   self.ask("GET", "/v1/classes", self.broker.admin).json["classes"]
                   for kind in one["types"])

    def create(self, slug, token=None, headers=None, **changes):
        fields = {"class": "small", "serverType": "", "serverTypeExplicit": False}
        answer = self.ask("POST", "/v1/leases", token or self.broker.alice,
                          cli_body(slug=slug, **dict(fields, **changes)), headers)
        if answer.status != 201:
            raise AssertionError(answer)
        self.leases[slug] = answer.lease
        return answer.lease

    def lease(self, slug):
        return self.ask("GET", "/v1/leases/" + self.leases[slug]["id"], self.broker.admin).lease

    def release(self, slug, token=None, **body):
        answer = self.ask("POST", "/v1/leases/%s/release" % self.leases[slug]["id"],
                          token or self.broker.alice, body or {"delete": True}, LATER)
        if answer.status not in (200, 202):
            raise AssertionError(answer)
        return answer.lease

    def protect(self, slug):
        """Somebody protects the machine at the provider, so that its delete is refused."""
        server = [s for s in self.broker.servers() if s["lease"] == self.leases[slug]["id"]][0]
        self.broker.cloud_ask("POST", "/servers/%s/actions/change_protection" % server["id"],
                              {"delete": True, "rebuild": True})

    def block_west(self):
        """The provider no longer accepts the second account's token; a create finds out."""
        port = self.west.section.split("endpoint = http://127.0.0.1:")[1].split("/")[0]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("POST", "/_sim/token",
                           json.dumps({"token": CLOUD_TOKEN, "revoked": True}))
        connection.getresponse().read()
        connection.close()
        self.ask("POST", "/v1/leases", self.broker.admin, cli_body(provider="west"), LATER)
        until(lambda: any(one["blocked"] for one in self.ask(
            "GET", "/v1/providers", self.broker.admin).json["providers"]))

    def fill(self):
        bob = self.broker.bob
        self.create("done-yesterday")
        self.release("done-yesterday")
        until(lambda: self.lease("done-yesterday")["cleanup"]["state"] == "done")
        self.create("web-frontend")
        self.create("nightly-build", bob, **{"class": "fast"})
        self.create("bisect-4711", **{"class": "tiny"})
        self.create("kept-for-debugging", bob)
        self.release("kept-for-debugging", bob, delete=False)
        self.create("left-behind")
        self.protect("left-behind")
        self.release("left-behind")
        until(lambda: "attention" in self.lease("left-behind"))
        # The first type is sold out, and the next one takes its time.
        self.broker.sim("POST", "/_sim/faults", {
            "match": {"op": "s.create"}, "count": 1, "fault": {"kind": "sold_out"}})
        self.broker.sim("POST", "/_sim/config", {"boot_ms": 100000000})
        self.create("still-starting", bob, LATER, **{"class": "large"})
        until(lambda: len(self.lease("still-starting").get("provisioningAttempts", ())) > 0)
        self.broker.sim("POST", "/_sim/config", {"boot_ms": 20000})
        # Alice has three: two active, and one that is left.
        self.create("waits-its-turn", None, LATER, waitForCapacity=3600)
        self.block_west()
        self.run = self.make_run("make -j8 check", "nightly", self.leases["nightly-build"], bob)

    def make_run(self, command, label, lease=None, token=None, log="all tests passed\n", **more):
        token = token or self.broker.alice
        body = {"leaseID": lease["id"] if lease else "", "provider": "hetzner", "target": "linux",
                "class": "beast", "serverType": "ccx63", "command": ["sh", "-c", command],
                "label": label}
        run = self.ask("POST", "/v1/runs", token, body).json["run"]
        if lease:
            self.ask("POST", "/v1/runs/%s/events" % run["id"], token, {
                "type": "lease.created", "leaseID": lease["id"], "slug": lease["slug"]})
        self.ask("POST", "/v1/runs/%s/events" % run["id"], token, {
            "type": "command.started", "phase": "command"})
        fields = {"exitCode": 0, "syncMs": 1200, "commandMs": 340000, "log": log,
                  "logChunks": None, "logTruncated": False, "results": None}
        answer = self.ask("POST", "/v1/runs/%s/finish" % run["id"], token, dict(fields, **more))
        if answer.status != 200:
            raise AssertionError(answer)
        return answer.json["run"]

    def close(self):
        if self.broker:
            self.broker.close()
        self.west.close()


class PageCase(unittest.TestCase):
    """One broker and one browser for all tests of a class. Whatever goes wrong in a page fails
    its test."""

    desk_options = {}

    @classmethod
    def setUpClass(cls):
        cls.desk = Desk(**cls.desk_options)
        try:
            cls.browser = Browser(OUT)
        except BaseException:
            cls.desk.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.desk.close()

    @property
    def origin(self):
        return "http://127.0.0.1:%d" % self.desk.broker.port

    def open(self, path="/", **options):
        page = self.browser.page(**options)
        self.addCleanup(page.close)
        self.addCleanup(lambda: page.check(self.origin))
        page.go(self.origin + path)
        return page

    def sign_in(self, page, token):
        page.fill("textbox", TOKEN, token)
        page.press("Enter")

    def at(self, path="/", token=None, **options):
        """A page that is signed in, by default as an admin."""
        page = self.open(path, **options)
        self.sign_in(page, token or self.desk.broker.admin)
        page.find("navigation", VIEWS)
        return page
