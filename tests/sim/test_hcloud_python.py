# SPDX-License-Identifier: MIT
"""The newest Python client of Hetzner (hcloud) against the simulator, strictly decoded: a member
of a response that the client does not know, or that it knows and misses, fails the test.

sh tests/venv.sh tests/sim/hcloud-python.txt DIR test_hcloud_python.py HETZNER_SIM
"""
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request
import warnings

import requests
from hcloud import APIException, Client
from hcloud.actions import ActionFailedException
from hcloud.core import client as core_client
from hcloud.core import domain as core_domain
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import Server, ServerCreatePublicNetwork
from hcloud.ssh_keys import SSHKey

SIM = "hetzner-sim"
PATIENCE = 30
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
# 2026-11-25: debian-11 is in its last days, cx22 is over.
EPOCH = 1795564800

# Documented by the API, and left out of the client's classes.
UNKNOWN = {
    "Server": {"load_balancers"},
    "Image": {"deprecated", "deleted"},  # the client derives the one, and never had the other
    "ServerTypeLocation": {"id", "name"},  # those of its `location`
    "IPv4Address": {"id"}, "IPv6Network": {"id"},  # those of the primary IPs
}
# Removed from the API, and kept in the client; and what the client computes.
MISSING = {"ServerType": {"included_traffic"}, "IPv6Network": {"network", "network_mask"}}
PRESETS = {"boot_ms": 6000, "max_servers": 10000, "readonly_401": False,
           "lock_until_started": False}


class Strict:
    """from_dict drops unknown members and has presets for missing ones: neither is accepted."""

    def __init__(self):
        self.complaints, self.seen, self.partial = [], {}, 0

    def from_dict(self, cls, data):
        known, name = set(cls.__api_properties__), cls.__name__
        self.seen[name] = self.seen.get(name, 0) + 1
        if not self.partial:
            for key in set(data) - known - UNKNOWN.get(name, set()):
                self.complaints.append(f"{name}.{key} is unknown to the client")
            for key in known - set(data) - MISSING.get(name, set()):
                self.complaints.append(f"{name}.{key} is missing")
        return cls(**{k: v for k, v in data.items() if k in known})

    def init(self, bound, client, data, complete=True):
        self.partial += not complete
        ORIGINAL_INIT(bound, client, data, complete)
        self.partial -= not complete


STRICT = Strict()
ORIGINAL_INIT = core_client.BoundModelBase.__init__
core_client.BoundModelBase.__init__ = lambda *args, **kw: STRICT.init(*args, **kw)
core_domain.BaseDomain.from_dict = classmethod(lambda cls, data: STRICT.from_dict(cls, data))


def key_text(fill):
    return KEY + 43 * fill + " test"


class Sim:
    def __init__(self, *options):
        self.process = subprocess.Popen(
            [SIM, "--speed", "400", "--epoch", str(EPOCH), "--rate-limit", "off",
             "--admin-listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().split()[-1]
        self.admin_url = self.process.stdout.readline().split()[-1] + "/"
        # Never the real cloud.
        assert re.fullmatch(r"https?://127\.0\.0\.1:\d+/v1", self.endpoint), self.endpoint

    def stop(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0
        self.process.stdout.close()

    def admin(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.admin_url + path, data, PATIENCE) as response:
            return json.load(response)

    def fault(self, op, **fault):
        self.admin("faults", {"match": {"op": op}, "fault": fault})

    def client(self, token="word"):
        return Client(token, self.endpoint, "lessor-tests", poll_interval=0.01,
                      poll_max_retries=PATIENCE * 100, timeout=PATIENCE,
                      api_endpoint_hetzner=self.endpoint)


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim("--token", "word", "--readonly-token", "reader")

    @classmethod
    def tearDownClass(cls):
        cls.sim.stop()

    def setUp(self):
        self.sim.admin("reset", {})
        self.sim.admin("config", PRESETS)
        self.c = self.sim.client()
        self.addCleanup(self.c._client._session.close)
        STRICT.complaints.clear()
        STRICT.seen.clear()
        warnings.simplefilter("error")
        self.addCleanup(warnings.resetwarnings)

    def tearDown(self):
        self.assertEqual(sorted(set(STRICT.complaints)), [])
        self.assertEqual(STRICT.partial, 0)
        self.assertTrue(STRICT.seen)

    def refused(self, code, call, *args, **kw):
        with self.assertRaises(APIException) as caught:
            call(*args, **kw)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertRegex(caught.exception.correlation_id, "^[0-9a-f]{32}$")
        self.assertIsInstance(caught.exception.details, dict)
        return caught.exception

    def fields(self, error):
        return [field["name"] for field in error.details["fields"]]

    def create(self, name="a", **kw):
        kw.setdefault("server_type", ServerType(name="cx23"))
        kw.setdefault("image", Image(name="ubuntu-24.04"))
        kw.setdefault("location", Location(name="nbg1"))
        return self.c.servers.create(name, **kw)

    def running(self, name="a", **kw):
        made = self.create(name, **kw)
        made.action.wait_until_finished()
        for action in made.next_actions:
            action.wait_until_finished()
        self.sim.admin(f"wait?status={name}:running")
        made.server.reload()
        return made.server

    def test_what_is_strict_notices(self):
        self.sim.fault("l.list", kind="patch", set={"/locations/0/planet": "Mars"})
        self.c.locations.get_all()
        self.assertEqual(STRICT.complaints, ["Location.planet is unknown to the client"])
        STRICT.complaints.clear()
        self.sim.fault("l.list", kind="patch", remove=["/locations/0/city"])
        self.c.locations.get_all()
        self.assertEqual(STRICT.complaints, ["Location.city is missing"])
        STRICT.complaints.clear()

    # ---- the catalogue

    def test_locations(self):
        names = [x.name for x in self.c.locations.get_all()]
        self.assertEqual(names, ["fsn1", "nbg1", "hel1", "ash", "hil", "sin"])
        hel1 = self.c.locations.get_by_name("hel1")
        self.assertEqual(self.c.locations.get_by_id(hel1.id).city, "Helsinki")
        self.assertIsNone(self.c.locations.get_by_name("xyz1"))

    def test_types_and_those_that_are_over(self):
        everything = {x.name: x for x in self.c.server_types.get_all()}
        self.assertEqual(len(everything), 25)
        self.assertNotIn("cx22", everything)
        self.assertEqual((everything["cx23"].category, everything["cpx22"].category,
                          everything["cpx22"].description, everything["cx23"].description),
                         ("cost_optimized", "regular_purpose", "CPX 22", "CX23"))
        for one in everything["cx23"].locations:
            self.assertEqual((one.deprecation, one.available, one.recommended), (None, True, True))
            self.assertEqual(one.location.network_zone, "eu-central")
        for price in everything["ccx13"].prices:
            self.assertEqual(set(price), {"location", "price_hourly", "price_monthly",
                                          "included_traffic", "price_per_tb_traffic"})
        # Lists omit what is over; its id still has a description.
        self.assertIsNone(self.c.server_types.get_by_name("cx22"))
        old = self.c.server_types.get_by_id(104)
        self.assertEqual((old.name, len(old.locations)), ("cx22", 3))
        for one in old.locations:
            self.assertFalse(one.available)
            self.assertEqual(one.deprecation.unavailable_after.isoformat()[:10], "2026-01-01")
        self.refused("invalid_input", self.create, server_type=old)

    def test_a_type_retires_in_one_location(self):
        self.sim.admin("catalogue", {"retired": [
            {"type": "cx33", "location": "hel1", "announced": "2026-11-01T00:00:00Z",
             "unavailable_after": "2027-02-01T00:00:00Z"}]})
        where = {x.location.name: x for x in self.c.server_types.get_by_name("cx33").locations}
        self.assertIsNone(where["nbg1"].deprecation)
        self.assertEqual(where["hel1"].deprecation.announced,
                         datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc))
        self.assertEqual((where["hel1"].available, where["hel1"].recommended), (True, False))

    def test_images_and_their_last_days(self):
        names = {x.name for x in self.c.images.get_all()}
        self.assertIn("ubuntu-24.04", names)
        self.assertTrue(names.isdisjoint({"debian-11", "fedora-41"}))
        self.assertIn("debian-11", {x.name for x in self.c.images.get_all(include_deprecated=True)})
        ubuntu = self.c.images.get_by_name_and_architecture("ubuntu-24.04", "arm")
        self.assertEqual((ubuntu.architecture, ubuntu.deprecation), ("arm", None))
        find = self.c.images.get_by_name_and_architecture
        self.assertIsNone(find("debian-11", "x86"))
        old = find("debian-11", "x86", include_deprecated=True)
        self.assertEqual(old.deprecation.unavailable_after.isoformat(),
                         "2026-12-01T00:00:00+00:00")
        self.running(image=old).delete().wait_until_finished()
        self.sim.admin("catalogue", {"retired": [{"image": "debian-11", "in_ms": 0}]})
        self.assertIsNone(find("debian-11", "x86", include_deprecated=True))
        self.assertEqual(self.c.images.get_by_id(old.id).status, "unavailable")
        for image in (Image(name="debian-11"), Image(id=old.id), Image(name="debian-99")):
            error = self.refused("invalid_input", self.create, "b", image=image)
            self.assertEqual((error.message, error.details), ("image not found", {}))
        self.assertEqual(self.c.images.get_all(type=["snapshot"]), [])
        self.assertEqual(self.c.images.get_all(label_selector="a=b"), [])
        by_name = [x.name for x in self.c.images.get_all(sort=["name:desc", "id"])]
        self.assertEqual(by_name, sorted(by_name, reverse=True))

    # ---- keys

    def test_keys(self):
        key = self.c.ssh_keys.create("laptop", key_text("A"), {"a": "b"})
        self.assertEqual(self.c.ssh_keys.get_by_fingerprint(key.fingerprint).id, key.id)
        error = self.refused("uniqueness_error", self.c.ssh_keys.create, "laptop", key_text("B"))
        self.assertEqual(self.fields(error), ["name"])
        error = self.refused("uniqueness_error", self.c.ssh_keys.create, "other", key_text("A"))
        self.assertEqual(self.fields(error), ["public_key"])
        other = self.c.ssh_keys.create("other", key_text("B"))
        self.assertEqual(self.fields(self.refused("uniqueness_error", other.update, "laptop")),
                         ["name"])
        self.assertEqual(self.fields(self.refused("invalid_input", other.update, "")), ["name"])
        self.assertEqual(self.fields(self.refused("invalid_input", other.update,
                                                  labels={"a": "b c"})), ["labels"])
        other = other.update("desk", {"c": "d"})
        self.assertEqual((other.name, other.labels), ("desk", {"c": "d"}))
        self.assertEqual([x.name for x in self.c.ssh_keys.get_all(label_selector="c==d")],
                         ["desk"])
        self.assertTrue(other.delete())
        self.refused("not_found", self.c.ssh_keys.get_by_id, other.id)
        self.assertIsNone(self.c.ssh_keys.get_by_name("desk"))

    def test_pages(self):
        made = [self.c.ssh_keys.create(f"k{i:02}", f"{KEY}{i:02}{41 * 'C'}").id
                for i in range(53)]
        page = self.c.ssh_keys.get_list(page=2, per_page=20)
        self.assertEqual([x.id for x in page.ssh_keys], made[20:40])
        p = page.meta.pagination
        self.assertEqual((p.page, p.per_page, p.previous_page, p.next_page, p.last_page,
                          p.total_entries), (2, 20, 1, 3, 3, 53))
        self.assertEqual([x.id for x in self.c.ssh_keys.get_all()], made)
        newest = self.c.ssh_keys.get_list(per_page=1).ssh_keys
        self.assertEqual(newest[0].id, made[0])
        # The client follows `meta`; the same is in a header, with all other parameters.
        answer = requests.get(self.sim.endpoint + "/ssh_keys?per_page=20&page=2&sort=id:desc",
                              headers={"Authorization": "Bearer word"}, timeout=PATIENCE)
        self.assertEqual(answer.json()["ssh_keys"][0]["id"], made[32])
        self.assertEqual({rel: requests.utils.urlparse(link["url"])[1:5]
                          for rel, link in answer.links.items()},
                         {rel: (self.sim.endpoint.split("/")[2], "/v1/ssh_keys", "",
                                f"per_page=20&sort=id:desc&page={n}")
                          for rel, n in (("prev", 1), ("next", 3), ("last", 3))})

    # ---- servers, actions

    def test_a_servers_life(self):
        key = self.c.ssh_keys.create("k", key_text("A"))
        made = self.create(ssh_keys=[key], labels={"lease": "x"}, user_data="#cloud-config\n{}")
        self.assertEqual((made.action.command, made.action.status, made.root_password),
                         ("create_server", "running", None))
        self.assertEqual([x.command for x in made.next_actions], ["start_server"])
        self.assertEqual({x["type"] for x in made.action.resources}, {"server", "image"})
        self.assertTrue(made.server.locked)
        made.action.wait_until_finished()
        made.next_actions[0].wait_until_finished()
        self.assertEqual((made.next_actions[0].progress, made.next_actions[0].error), (100, None))
        self.sim.admin("wait?status=a:running")
        server = self.c.servers.get_by_name("a")
        self.assertEqual((server.status, server.server_type.name, server.image.name,
                          server.location.name, server.labels, server.locked),
                         ("running", "cx23", "ubuntu-24.04", "nbg1", {"lease": "x"}, False))
        self.assertTrue(server.public_net.ipv4.ip.startswith("203.0.113."))
        self.assertEqual(server.public_net.primary_ipv4.assignee_id, server.id)
        self.assertEqual([x.id for x in self.c.servers.get_all(label_selector="lease in (x,y)")],
                         [server.id])
        self.assertEqual(self.c.servers.get_all(label_selector="!lease"), [])
        self.assertEqual(len(self.c.servers.get_all(status=["running"])), 1)
        self.assertEqual(self.c.servers.get_all(status=["off", "deleting"]), [])
        self.assertEqual([x.command for x in server.get_actions(sort=["id:desc"])],
                         ["start_server", "create_server"])
        self.assertEqual(server.get_actions(status=["error"]), [])
        server.power_off().wait_until_finished()
        self.assertEqual(self.c.servers.get_by_id(server.id).status, Server.STATUS_OFF)
        server.power_on().wait_until_finished()
        for action in (server.reboot, server.reset, server.shutdown):
            action().wait_until_finished()
        server.delete().wait_until_finished()
        self.sim.admin("wait?gone=a")
        self.refused("not_found", self.c.servers.get_by_id, server.id)
        self.sim.admin("wait?primary_ips=0")

    def test_names_and_protection(self):
        a, b = self.running("a"), self.create("b", start_after_create=False).server
        self.assertEqual(self.fields(self.refused("uniqueness_error", self.create, "a")), ["name"])
        self.assertEqual(self.fields(self.refused("uniqueness_error", b.update, "a")), ["name"])
        for name in ("", "a_b", "-a", "a" * 64):
            self.assertEqual(self.fields(self.refused("invalid_input", b.update, name)), ["name"])
            self.assertEqual(self.fields(self.refused("invalid_input", self.create, name)),
                             ["name"])
        a = a.update("c", {"k": "v"})
        self.assertEqual((a.name, a.labels), ("c", {"k": "v"}))
        a.change_protection(delete=True, rebuild=True).wait_until_finished()
        self.refused("protected", a.delete)
        a.reload()
        self.assertEqual(a.protection, {"delete": True, "rebuild": True})
        self.refused("invalid_input", a.change_protection, delete=True, rebuild=False)
        a.change_protection(delete=False, rebuild=False).wait_until_finished()
        a.delete().wait_until_finished()

    def test_the_lock_ends_before_the_start_does(self):
        self.sim.admin("config", {"boot_ms": 3600000})
        made = self.create()
        self.refused("locked", made.server.delete)
        made.action.wait_until_finished()
        made.next_actions[0].reload()
        self.assertEqual(made.next_actions[0].status, "running")
        made.server.delete().wait_until_finished()
        self.sim.admin("wait?gone=a")
        # As it once was: until the start is over.
        self.sim.admin("config", {"lock_until_started": True})
        made = self.create()
        made.action.wait_until_finished()
        self.refused("locked", made.server.delete)

    def test_failed_actions(self):
        self.sim.fault("s.create", kind="create_error", code="unknown_error", message="Unknown")
        made = self.create(start_after_create=False)
        with self.assertRaises(ActionFailedException) as caught:
            made.action.wait_until_finished()
        self.assertEqual(caught.exception.action.error["code"], "unknown_error")
        self.assertEqual(self.c.servers.get_by_name("a").id, made.server.id)

    # ---- primary IPs

    def test_primary_ips(self):
        net = ServerCreatePublicNetwork(enable_ipv4=True, enable_ipv6=False)
        server, other = self.running("a", public_net=net), self.running("b", public_net=net)
        self.assertIsNone(server.public_net.ipv6)
        ip = self.c.primary_ips.get_by_id(server.public_net.primary_ipv4.id)
        self.assertEqual((ip.type, ip.auto_delete, ip.assignee_id, ip.ip),
                         ("ipv4", True, server.id, server.public_net.ipv4.ip))
        ip = ip.update(auto_delete=False, labels={"keep": "me"}, name="kept")
        self.assertEqual((ip.auto_delete, ip.labels, ip.name), (False, {"keep": "me"}, "kept"))
        self.assertEqual(self.c.primary_ips.get_by_name("kept").id, ip.id)
        second = self.c.primary_ips.get_by_id(other.public_net.primary_ipv4.id)
        self.assertEqual(self.fields(self.refused("uniqueness_error", second.update, name="kept")),
                         ["name"])
        self.assertEqual(self.fields(self.refused("invalid_input", second.update, name="")),
                         ["name"])
        ip.change_protection(delete=True).wait_until_finished()
        self.refused("invalid_input", ip.update, auto_delete=True)
        ip.change_protection(delete=False).wait_until_finished()
        self.refused("must_be_unassigned", ip.delete)
        server.delete().wait_until_finished()
        other.delete().wait_until_finished()
        self.sim.admin("wait?servers=0&primary_ips=1")
        self.assertEqual([x.name for x in self.c.primary_ips.get_all(label_selector="keep")],
                         ["kept"])
        ip.reload()
        self.assertIsNone(ip.assignee_id)
        self.assertTrue(ip.delete())

    # ---- errors

    def test_tokens(self):
        for token, code, call in (
                ("unknown", "unauthorized", lambda c: c.servers.get_all()),
                ("reader", "forbidden", lambda c: c.ssh_keys.create("k", key_text("A")))):
            client = self.sim.client(token)
            self.refused(code, call, client)
            client._client._session.close()
        self.sim.admin("config", {"readonly_401": True})
        client = self.sim.client("reader")
        self.assertEqual(client.ssh_keys.get_all(), [])
        self.refused("token_readonly", client.ssh_keys.create, "k", key_text("A"))
        client._client._session.close()
        self.assertEqual(len(self.c.locations.get_all()), 6)

    def test_refusals(self):
        self.sim.admin("catalogue", {"sold_out": [{"type": "cx23", "location": "nbg1"}]})
        self.refused("resource_unavailable", self.create)
        available = {x.location.name: x.available
                     for x in self.c.server_types.get_by_name("cx23").locations}
        self.assertEqual(available, {"fsn1": True, "nbg1": False, "hel1": True})
        self.sim.admin("config", {"max_servers": 0})
        error = self.refused("resource_limit_exceeded", self.create)
        self.assertEqual(error.details["limits"], [{"name": "server_limit"}])
        for wrong in ({"location": Location(name="xyz1")}, {"location": Location(name="ash")},
                      {"ssh_keys": [SSHKey(name="none")]}, {"server_type": ServerType(name="cax11"),
                                                            "image": Image(id=161547269)}):
            error = self.refused("invalid_input", self.create, **wrong)
            self.assertEqual(error.details, {})
        # One that the client repeats by itself.
        self.sim.fault("k.list", kind="conflict")
        self.c._client._retry_interval_func = lambda retries: 0
        self.assertEqual(self.c.ssh_keys.get_all(), [])

    def test_what_is_not_simulated_is_said_clearly(self):
        server = self.running()
        for call in (lambda: server.rebuild(Image(name="debian-12")), server.enable_backup,
                     lambda: server.change_type(ServerType(name="cx33"), upgrade_disk=False),
                     lambda: server.create_image(type="snapshot"), server.enable_rescue):
            error = self.refused("not_found", call)
            self.assertRegex(error.message, "^hetzner-sim does not simulate POST /v1/servers/")
        ip = self.c.primary_ips.get_all()[0]
        error = self.refused("method_not_allowed", self.c.primary_ips.create, "ipv4", "x",
                             location=Location(name="nbg1"))
        self.assertEqual(error.message, "hetzner-sim does not simulate POST /v1/primary_ips")
        self.refused("not_found", ip.unassign)
        self.refused("method_not_allowed", self.c.images.get_all()[0].delete)
        for client in (self.c.volumes, self.c.networks, self.c.firewalls, self.c.floating_ips,
                       self.c.certificates, self.c.isos, self.c.placement_groups,
                       self.c.load_balancers):
            self.assertEqual(client.get_all(), [])


class TlsTest(unittest.TestCase):
    def test_https(self):
        with tempfile.TemporaryDirectory() as home:
            cert, key = home + "/cert.pem", home + "/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                            "-subj", "/CN=sim", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-days", "2"], check=True, capture_output=True)
            sim = Sim("--tls-cert", cert, "--tls-key", key)
            self.addCleanup(sim.stop)
            self.assertTrue(sim.endpoint.startswith("https://"))
            client = sim.client()
            self.addCleanup(client._client._session.close)
            with self.assertRaises(requests.exceptions.SSLError):
                client.locations.get_all()
            client._client._session.verify = cert
            self.assertEqual(len(client.locations.get_all()), 6)
            made = client.ssh_keys.create("k", key_text("A"))
            self.assertEqual(client.ssh_keys.get_by_name("k").id, made.id)


if __name__ == "__main__":
    os.environ["NO_PROXY"] = "127.0.0.1"
    for unwanted in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ.pop(unwanted, None)
    SIM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
