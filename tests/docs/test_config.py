#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord.conf(5) against lessord: every key, default, range and choice, in both directions."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from page import Page
from programs import ACCOUNT, PAGES, PROVIDERS, SOURCE, run, sections, write

MS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}
# Values for keys that have neither a range nor choices.
SAMPLES = {
    "server": {
        "listen": "127.0.0.1:0, [::1]:8481, unix:{home}/socket", "socket_group": "lessor",
        "listen_metrics": "127.0.0.1:9480", "backups": "{home}",
        "store": "{home}/store", "tls_certificate": "{home}/tls.pem",
        "tls_key": "{home}/tls.key", "allowed_hosts": "a.example, b.example",
        "usd_rates": "EUR:1.08, GBP:1.27", "paused_reason": "until 14:00", "advertise": "lessor-1.example.com:8480",
        "peer_ca_file": "{home}/tls.pem"},
    "store": {"state_dir": "{home}/state"},
    "limits": {"max_hourly": "12.50", "max_hourly_per_owner": "0.000001",
               "max_hourly_per_org": "3", "max_monthly": "100", "max_monthly_per_owner": "20",
               "max_monthly_per_org": "50.5", "default_class": "c"},
    "limits owner NAME": {"max_hourly": "2.50", "max_monthly": "0"},
    "org NAME": {"accounts": "a"},
    "class NAME": {"types": "ccx13, cx23"},
    "account NAME": {
        "provider": "hetzner", "locations": "fsn1, nbg1", "image": "Fedora-42",
        "images": "debian-12, ubuntu-24.04", "credential": "token",
        "allowed_types": "cx43, any", "paused_reason": "closed",
        "ca_file": "{home}/tls.pem"},
    "hetzner": {"endpoint": "http://127.0.0.1:8081/v1"},
    "static": {"inventory": "{home}/inventory", "state": "{home}/state"},
}
# Alternatives to other keys, so each is tested in a file of its own.
APART = {("account NAME", "token_file"): "{home}/credentials/token",
         ("store", "url"): "postgresql://lessor@db.example.com/lessor",
         ("store", "service"): "lessor"}
# Keys that only a PostgreSQL database has.
POSTGRES = {("store", "password_file"): "{home}/credentials/token",
            ("store", "credential"): "token", ("store", "require_sync"): "yes"}


def as_ms(text):
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()
    return int(number) * MS[unit] if unit else int(number)


class Config(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="lessor-docs-")
        page = Page(PAGES + "/man5/lessord.conf.5")
        cls.page = page
        cls.keys = {}
        for title in page.subsections("DESCRIPTION"):
            name = title.removeprefix("Section ")
            name = name.split(" with provider = ")[-1]
            cls.keys[name] = page.named("DESCRIPTION", title, "Ic")
        # What the program prints for an empty file, plus the provider's section.
        write(cls.home + "/least", ACCOUNT + "[limits owner o]\n[org o]\naccounts = hetzner\n")
        dumped = sections(run("lessord", "--dump-config", "--config", cls.home + "/least"))
        cls.known = {name: dumped[name] for name in ("server", "store", "sweep", "runs", "history", "limits")}
        cls.known["class NAME"] = dumped["class tiny"]
        cls.known["account NAME"] = dumped["account hetzner"]
        cls.known["limits owner NAME"] = dumped["limits owner o"]
        cls.known["org NAME"] = {**dumped["org o"], "accounts": None}
        cls.classes = {name[6:]: part["types"] for name, part in dumped.items()
                       if name.startswith("class ")}
        cls.providers = {}
        for plugin in sorted(os.listdir(PROVIDERS)):
            text = run("lessord", "--dump-provider", f"{PROVIDERS}/{plugin}")
            options = cls.providers.setdefault(plugin.removesuffix(".so"), {})
            for key, member, value in re.findall(r"^option\.(\w+)\.(\w+)=(.*)$", text, re.M):
                options.setdefault(key, {})[member] = value
        os.mkdir(cls.home + "/state", 0o700)
        cls.inventory = page.examples("INVENTORY")[0]
        write(cls.home + "/inventory", cls.inventory)
        os.mkdir(cls.home + "/credentials", 0o700)
        cls.env = dict(os.environ, CREDENTIALS_DIRECTORY=cls.home + "/credentials")
        write(cls.home + "/credentials/token", "word\n", 0o600)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj",
                        "/CN=localhost", "-keyout", cls.home + "/tls.key", "-out",
                        cls.home + "/tls.pem"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(cls.home + "/tls.key", 0o600)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def conf(self, values):
        """{(section of the page, key): value} as a file."""
        provider = next((section for section, _ in values if section in self.providers), "hetzner")
        values = {("server", "providers"): PROVIDERS, ("account NAME", "locations"): "fsn1",
                  ("class NAME", "types"): "cx23",
                  **({("static", key): SAMPLES["static"][key] for key in SAMPLES["static"]}
                     if provider == "static" else {}),
                  **values, ("account NAME", "provider"): provider}
        if provider == "hetzner" and ("account NAME", "token_file") not in values:
            values.setdefault(("account NAME", "credential"), "token")
        titles = {"class NAME": "class c", "account NAME": "account a",
                  "limits owner NAME": "limits owner o", "org NAME": "org o",
                  **{name: "account a" for name in self.providers}}
        lines = {}
        for (section, key), value in values.items():
            lines.setdefault(titles.get(section, section), []).append(
                f"{key} = {value.format(home=self.home)}\n")
        text = "".join(f"[{name}]\n" + "".join(part) for name, part in lines.items())
        return write(self.home + "/conf", text)

    def check(self, values, code=0):
        return run("lessord", "--check-config", "--config", self.conf(values), code=code,
                   env=self.env)

    def each(self, *but):
        for section, items in self.keys.items():
            if section in but:
                continue
            for key, item in items.items():
                yield section, key, item

    @staticmethod
    def choices(item):
        """Of a tag like "log = Cm human | json"."""
        words = item.words[2:]
        return [w for w in words[2:] if w != "|"] if words[1:2] == ["Cm"] else None

    def test_the_same_keys(self):
        self.assertEqual(sorted(self.keys), sorted([*self.known, *self.providers]))
        for section, known in self.known.items():
            self.assertEqual(sorted(self.keys[section]), sorted(known), section)
        for name, options in self.providers.items():
            self.assertEqual(sorted(self.keys[name]), sorted(options), name)
        for section, key, item in self.each():
            self.assertEqual(item.words[:3], ["Ic", key, "="], f"[{section}] {key}: the tag")

    def test_the_same_presets(self):
        needed = {("class NAME", "types"), ("account NAME", "provider"),
                  ("account NAME", "locations"), ("org NAME", "accounts")}
        for section, key, item in self.each():
            provider = self.providers.get(section)
            if (section, key) in needed or provider and "required" in provider[key]:
                self.assertIsNone(item.default())
                self.assertIn("Required.", item.text)
            elif provider:
                self.assertEqual(item.default(), provider[key]["preset"], key)
            else:
                self.assertEqual(item.default(), self.known[section][key] or "",
                                 f"[{section}] {key}")
        rows = re.findall(r"^\.It (\w+) Ta (.+)$", self.page.text, re.M)
        self.assertEqual(dict(rows), self.classes)

    def test_everything_is_taken(self):
        values = {}
        for section, key, item in self.each("static"):
            if (section, key) in {**APART, **POSTGRES, ("server", "providers"): ""}:
                continue
            if item.range():
                values[section, key] = item.range()[1]
            elif self.choices(item):
                values[section, key] = self.choices(item)[-1]
            else:
                values[section, key] = SAMPLES[section][key]
        self.check(values)
        dumped = sections(run("lessord", "--dump-config", "--config", self.home + "/conf"))
        self.assertEqual(dumped["account a"]["endpoint"], "http://127.0.0.1:8081/v1")
        self.assertEqual(dumped["limits"]["max_hourly"], "12.5")
        for (section, key), value in APART.items():
            self.check({(section, key): value})
        for place, value in POSTGRES.items():
            self.check({("store", "service"): "lessor", place: value})
            said = self.check({place: value.format(home=self.home)}, code=2)
            self.assertIn(f"[store] {place[1]} is for PostgreSQL only", said)
        self.check({("static", key): item.range()[1] if item.range() else SAMPLES["static"][key]
                    for key, item in self.keys["static"].items()})

    def test_ranges(self):
        for other in self.providers:
            self.check({(section, key): item.range()[0] for section, key, item in self.each(other)
                        if item.range()})
        for section, key, item in self.each():
            option = self.providers.get(section, {}).get(key, {})
            if not item.range():
                # Then the program has no default either.
                self.assertNotIn("max", option)
                self.assertNotIn(item.words[3:], (["Ar", "duration"], ["Ar", "number"]), key)
                continue
            low, high = (as_ms(end) for end in item.range())
            unit = "ms" if re.search(r"[a-z]", item.range()[1]) else ""
            if option:
                self.assertEqual((option["min"], option["max"]), (str(low), str(high)), key)
            for wrong in [high + 1] + ([low - 1] if low > 0 else []):
                said = self.check({(section, key): f"{wrong}{unit}"}, code=3 if option else 2)
                self.assertIn(key, said)
                if not option:
                    self.assertIn(" from %s to %s" % item.range(), said)

    def test_choices(self):
        for section, key, item in self.each():
            if not self.choices(item):
                continue
            option = self.providers.get(section, {}).get(key)
            where = {("store", "service"): "lessor"} if (section, key) in POSTGRES else {}
            for choice in self.choices(item):
                self.check({**where, (section, key): choice})
            said = self.check({**where, (section, key): "nonsense"}, code=3 if option else 2)
            named = option["choices"].split("|") if option else \
                re.findall(r"\b[a-z]+\b", re.sub(r"is (neither|not one of)|\bnor\b", "",
                                                 said.split("'nonsense'")[1]))
            self.assertEqual(sorted(self.choices(item)), sorted(named), said)

    def another(self, section, key, item):
        """A value other than the default."""
        if item.range():
            # A maximum must not become less than its default.
            ends = item.range()[::-1] if key.startswith("max_") else item.range()
            return next(end for end in ends if end != item.default())
        if self.choices(item):
            return next(choice for choice in self.choices(item) if choice != item.default())
        return {**SAMPLES.get(section, {}), "providers": "/nonexistent",
                "token_file": self.home + "/credentials/token",
                "ca_file": self.home + "/tls.pem"}[key]

    def test_reload(self):
        """SIGHUP applies exactly the settings that the page lists."""
        taken = {("server", "log"), ("server", "log_level"),
                 ("server", "usd_rates"), ("account NAME", "ca_file"),
                 ("account NAME", "allowed_types"),
                 *((section, key) for section in ("server", "account NAME")
                   for key in ("paused", "paused_reason"))}
        self.assertIn("After a change of\n.Cm [limits] ,\n.Cm \"[limits owner NAME]\"\n"
                      "and its like,\n.Cm \"[org NAME]\" ,\n.Cm paused ,\n.Cm paused_reason ,\n"
                      ".Cm allowed_types ,\n.Cm log ,\n"
                      ".Cm log_level ,\n.Cm usd_rates ,\n.Cm ca_file\nor the TLS files send\n.Dv SIGHUP ;", self.page.text)
        least = {("server", "listen"): "unix:{home}/socket", ("server", "store"): "{home}/store.db",
                 ("static", "poll"): "1s"}
        token = run("lessord", "token", "add", "--owner", "me", "--role", "admin", "--config",
                    self.conf(least)).split("\n")[0]
        daemon = subprocess.Popen(
            [os.path.join(os.environ["BIN"], "lessord"), "--config", self.conf(least)],
            env=self.env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

        def until(text):
            said = b""
            while text not in said:
                ready, _, _ = select.select([daemon.stderr], [], [], 30)
                more = os.read(daemon.stderr.fileno(), 65536) if ready else b""
                self.assertTrue(more, f"timed out waiting for {text}: {said}")
                said += more
            return said.decode()

        until(b" ready")
        for section, key, item in self.each("hetzner"):
            # Another store cannot be named beside the file, or need not be there.
            if section == "store" and key != "state_dir":
                continue
            # These name files, and a missing file cannot be added by a reload.
            if key in ("tls_certificate", "tls_key", "provider", "inventory", "state"):
                continue
            value = self.another(section, key, item).replace("unix:{home}/socket", "unix:{home}/s2")
            value = {"log_level": "debug"}.get(key, value)
            self.conf({**least, ("server", "log_level"): "notice", (section, key): value})
            daemon.send_signal(signal.SIGHUP)
            said = until(b"configuration reloaded")
            self.assertEqual("needs a restart" in said,
                             not section.startswith(("limits", "org ")) and
                             (section, key) not in taken,
                             f"[{section}] {key} = {value}: {said}")
            if key == "mode":
                # And the API does not report the new value as effective.
                said = run("lessor", "sweep", "--json", env={
                    "LESSOR_URL": f"unix:{self.home}/socket", "LESSOR_TOKEN": token})
                self.assertEqual(json.loads(said)["mode"], item.default())
        daemon.send_signal(signal.SIGTERM)
        until(b" stopped")
        self.assertEqual(daemon.wait(30), 0)

    def test_what_is_refused(self):
        self.assertIn("token_file", self.check({("account NAME", "token"): "word"}, code=2))
        self.check({("account NAME", "token_file"): APART["account NAME", "token_file"],
                    ("account NAME", "credential"): "token"}, code=2)
        self.check({("server", "listen"): "0.0.0.0:1"}, code=2)
        self.check({("server", "store"): "/a/../b"}, code=2)
        url = ("store", "url")
        self.assertIn("mutually exclusive", self.check(
            {url: "postgresql://db/x", ("server", "store"): "{home}/store"}, code=2))
        self.check({url: "postgresql://db/x", ("store", "service"): "lessor"}, code=2)
        for text in ("postgresql://me:word@db/x", "postgresql://db/x?password=word",
                     "postgresql://db/x?sslmode=require&pass%77ord=word"):
            said = self.check({url: text}, code=2)
            self.assertIn("password_file", said)
            self.assertNotIn("word@", said + "=word")
        write(self.home + "/long", "[server]\n" + "#" * 197 + "\n" + ACCOUNT)
        run("lessord", "--dump-config", "--config", self.home + "/long")
        write(self.home + "/long", "[server]\n" + "#" * 198 + "\n" + ACCOUNT)
        run("lessord", "--dump-config", "--config", self.home + "/long", code=2)

    def test_d10_a_key_with_a_pass_phrase(self):
        """It is refused, and nobody is asked, whether there is a terminal or not."""
        for form in (["-aes256"], ["-aes256", "-traditional"]):
            key = ["openssl", "genrsa", "-aes256", "-passout", "pass:word", *form[1:],
                   "-out", self.home + "/locked.key", "2048"]
            subprocess.run(key, check=True, stderr=subprocess.DEVNULL)
            os.chmod(self.home + "/locked.key", 0o600)
            said = self.check({("server", "tls_certificate"): "{home}/tls.pem",
                               ("server", "tls_key"): "{home}/locked.key"}, code=2)
            self.assertIn("protected by a pass phrase", said)
            self.assertNotIn("Enter", said)

    def test_inventory(self):
        keys = self.page.named("INVENTORY", "", "Ic")
        with open(SOURCE + "/plugins/static/inventory.c", encoding="utf-8") as file:
            there = re.findall(r'\{ "(\w+)", key_', file.read())
        self.assertEqual(list(keys), there)
        self.check({("static", "state"): "{home}/state"})
        command = ["/usr/bin/ssh", "root@{address}", "{host}", "{port}", "{lease}"]
        for word in command[1:]:
            self.assertIn("{" + word.split("{")[1], self.page.text)
        samples = {"text": ["x86"], "number": [22], "list": [["small"]], "boolean": [True],
                   "command": [command]}
        host = {"name": "a1", "address": "192.0.2.1", "types": ["small"]}
        for key, item in keys.items():
            tries = [sample for kind in item.words[4:] if kind != "or" for sample in samples[kind]]
            for value in tries if key != "probe" else ["none", "tcp", "ssh", command]:
                write(self.home + "/inventory", json.dumps({"hosts": [{**host, key: value}]}))
                self.check({("static", "state"): "{home}/state"})
        write(self.home + "/inventory", json.dumps({"hosts": [{**host, "nonsense": 1}]}))
        self.check({("static", "state"): "{home}/state"}, code=3)
        write(self.home + "/inventory", self.inventory)

    def test_its_examples(self):
        # The files that the examples need are here, not at the paths that they name.
        blocks = self.page.examples() + self.page.examples("DESCRIPTION")
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            block = block.replace("/etc/lessord/hetzner-token", self.home + "/credentials/token")
            if "[server]" not in block:
                block = "[server]\n" + block
            path = write(self.home + "/example", block.replace(
                "[server]\n", f"[server]\nproviders = {PROVIDERS}\n"))
            env = {k: v for k, v in os.environ.items() if k != "CREDENTIALS_DIRECTORY"}
            run("lessord", "--check-config", "--config", path, env=env)

    def test_the_example_that_is_installed(self):
        """Uncommenting its defaults changes nothing, and it shows every key."""
        with open(os.environ["EXAMPLE"], encoding="ascii") as file:
            text = file.read()
        said = re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.M)
        shown = {}
        # Sections without defaults are behind "# ".
        for line in re.sub(r"^# (?=[a-z_]+ = |\[)", "", said, flags=re.M).splitlines():
            if line.startswith("["):
                part = shown.setdefault(line[1:-1], set())
            elif re.match(r"[a-z_]+ = ", line):
                part.add(line.split()[0])
        for section, keys in self.known.items():
            name = {"class NAME": "class tiny", "account NAME": "account hetzner",
                    "limits owner NAME": "limits owner alice@example.com", "org NAME": "org acme"}
            self.assertEqual(shown[name.get(section, section)], set(keys), section)
        # These have no default.
        said = re.sub(r"^(tls_\w+|token_file|credential|ca_file|socket_group|allowed_hosts|allowed_types|paused_reason|usd_rates|listen_metrics|advertise|peer_ca_file|url|"
                      r"service|password_file|settle) =.*\n",
                      "", said, flags=re.M)
        path = write(self.home + "/installed", said)
        write(self.home + "/least", ACCOUNT)
        self.assertEqual(run("lessord", "--dump-config", "--config", path),
                         run("lessord", "--dump-config", "--config", self.home + "/least"))


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("SKIPPED: openssl is missing")
        sys.exit(77)
    os.umask(0o022)
    unittest.main(verbosity=2)
