#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessord doctor names what is wrong with an installation, nothing else, and what to do about it."""

import json
import os
import shutil
import socket
import subprocess
import time
import unittest

from certificates import Authority, Front
from harness import CLOUD_TOKEN, Broker, need, sqlite_only, until

SKEW = os.environ.get("LESSOR_SKEW", "")
NAMES = {"configuration", "secrets", "plugins", "permissions", "disk", "store", "backup", "tls",
         "reach", "clock", "credentials", "generation"}


def full_name(check):
    return (check["name"] + " " + check["subject"]).strip()


class Doctor(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.lessord = [self.broker.lessord]
        self.addCleanup(self.end)
        self.backups = self.broker.home + "/backups"
        os.mkdir(self.backups)
        with open(self.backups + "/lessor-Mon.db", "wb"):
            pass
        # Until the first probe has ended, the sentinel may be missing.
        until(self.verified, why="the account was not verified")

    def end(self):
        if self.broker.process.poll() is not None:
            self.broker.process.returncode = 0
        self.broker.close()

    def verified(self):
        """As `lessor providers` says; the probe has raised the generation by then."""
        listed = self.broker.ask("GET", "/v1/providers", self.broker.admin).json["providers"]
        return listed[0].get("provenAt")

    def run_doctor(self, code, *words, env=None, seconds=40):
        began = time.monotonic()
        done = subprocess.run(
            [*self.lessord, "doctor", "--config", self.broker.home + "/conf", "--backups",
             self.backups, *words], check=False, text=True, timeout=60, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stderr, "")
        self.assertLess(time.monotonic() - began, seconds)
        return done.stdout

    def doctor(self, code, **more):
        report = json.loads(self.run_doctor(code, "--json", **more))
        self.assertEqual(set(report), {"result", "version", "checks"})
        for check in report["checks"]:
            self.assertEqual(set(check), {"name", "subject", "result", "seen", "advice"})
            if check["result"] in ("fail", "warn"):
                self.assertTrue(check["advice"], check)
        worst = [g for g in ("fail", "warn", "ok") if g in (c["result"] for c in report["checks"])]
        self.assertEqual(report["result"], worst[0])
        return report["checks"]

    def broken(self, names, seen="", advice="", skipped=(), grade="fail", **more):
        """Exactly these checks fail, with these words; nothing else does."""
        checks = self.doctor(1 if grade == "fail" else 0, **more)
        bad = [c for c in checks if c["result"] in ("warn", "fail")]
        self.assertEqual([(full_name(c), c["result"]) for c in bad], [(n, grade) for n in names],
                         checks)
        self.assertIn(seen, bad[0]["seen"])
        self.assertIn(advice, bad[0]["advice"])
        self.assertEqual({full_name(c) for c in checks if c["result"] == "skip"} -
                         {"tls", "backup"}, set(skipped), checks)
        return checks

    def healthy(self):
        checks = self.doctor(0)
        self.assertEqual({c["result"] for c in checks} - {"skip"}, {"ok"}, checks)
        self.assertEqual({c["name"] for c in checks}, NAMES)
        return checks

    def stop(self):
        self.assertEqual(self.broker.kill(15), 0)

    # ---- healthy

    def test_a_healthy_one_running_and_stopped(self):
        before = set(os.listdir(self.broker.home))
        made = self.broker.sim("GET", "/_sim/state")
        self.healthy()
        self.assertEqual(set(os.listdir(self.broker.home)), before)
        self.assertEqual(len(self.broker.sim("GET", "/_sim/state")["ssh_keys"]),
                         len(made["ssh_keys"]))
        self.stop()
        files = sorted(os.listdir(self.broker.home))
        self.healthy()
        self.assertEqual(sorted(os.listdir(self.broker.home)), files)
        self.broker.start()

    def test_the_text_fits_a_terminal(self):
        text = self.run_doctor(0)
        self.assertNotIn("\x1b", text)
        for line in text.splitlines():
            if "/" not in line:
                self.assertLessEqual(len(line), 80, line)
        self.assertRegex(text, r"(?m)^ok    credentials hetzner +the token may read")

    # ---- broken: the provider

    def set_token(self, text, mode=0o600):
        with open(self.broker.home + "/token", "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(self.broker.home + "/token", mode)

    def test_a_wrong_token(self):
        self.set_token(CLOUD_TOKEN[:-1] + "x")
        self.broken(["credentials hetzner"], "rejects the token", "token_file",
                    ["generation hetzner"])

    def test_no_connection(self):
        # Nobody listens there.
        self.broker.edit("127.0.0.1:%d/v1" % self.broker.sim_port, "127.0.0.1:1/v1")
        self.broken(["reach hetzner"], "no connection", "firewall",
                    ["clock hetzner", "credentials hetzner", "generation hetzner"])

    def test_no_such_name(self):
        self.broker.edit("endpoint = http://127.0.0.1:%d/v1" % self.broker.sim_port,
                         "endpoint = https://no-such-host.invalid/v1")
        self.broken(["reach hetzner"], "cannot be resolved", "DNS",
                    ["clock hetzner", "credentials hetzner", "generation hetzner"])

    def test_no_tls(self):
        self.broker.edit("endpoint = http://127.0.0.1", "endpoint = https://127.0.0.1")
        self.broken(["reach hetzner"], "TLS failed", "ca_file",
                    ["clock hetzner", "credentials hetzner", "generation hetzner"])

    def test_a_provider_that_hangs(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.broker.edit("127.0.0.1:%d/v1" % self.broker.sim_port,
                             "127.0.0.1:%d/v1" % silent.getsockname()[1])
            self.broken(["reach hetzner"], "no valid response", "",
                        ["clock hetzner", "credentials hetzner", "generation hetzner"], seconds=30)

    @unittest.skipUnless(SKEW, "a preloaded library and a sanitizer do not go together")
    def test_a_wrong_clock(self):
        place = self.broker.home + "/skew"
        for seconds, words in ((600, "ahead of"), (-600, "behind")):
            with open(place, "w", encoding="ascii") as file:
                file.write("%d\n" % seconds)
            self.broken(["clock hetzner"], words, "timedatectl",
                        env={"LD_PRELOAD": SKEW, "SKEW": place})

    # ---- broken: this machine

    def test_a_secret_that_others_can_read(self):
        os.chmod(self.broker.home + "/token", 0o644)
        self.broken(["secrets"], "mode 0644", "0600",
                    ["reach hetzner", "clock hetzner", "credentials hetzner", "generation hetzner"])

    def give_to(self, uid):
        """As on an installation: what lessord uses is its user's, and root runs the doctor."""
        self.stop()
        plugins = self.broker.home + "/providers"
        shutil.copytree(os.environ["LESSOR_PROVIDERS"], plugins)
        self.broker.edit("providers = " + os.environ["LESSOR_PROVIDERS"], "providers = " + plugins)
        self.owned = [os.path.join(folder, name) for folder, folders, files
                      in os.walk(self.broker.home) if not folder.startswith(plugins)
                      for name in folders + files if name not in ("providers", "conf")]
        self.owned.append(self.broker.home)
        for path in self.owned:
            os.chown(path, uid, uid)

    def calls(self):
        return self.broker.sim("GET", "/_sim/calls")

    @sqlite_only("the database server is of another user")
    @unittest.skipIf(os.geteuid(), "only root becomes another user")
    def test_root_judges_as_the_user_of_lessord(self):
        uid = 65534
        self.give_to(uid)
        self.healthy()
        skipped = ["reach hetzner", "clock hetzner", "credentials hetzner", "generation hetzner"]
        token = self.broker.home + "/token"
        os.chown(token, 0, 0)
        self.broken(["secrets"], "Permission denied", "0600", skipped)
        checked = subprocess.run([self.broker.lessord, "--check-config", "--config",
                                  self.broker.home + "/conf"], check=False, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(checked.returncode, 2, checked)
        self.assertIn("belongs to root, but lessord runs as user %d" % uid, checked.stdout)
        # Readable, in a directory that is not.
        private = self.broker.home + "/private"
        os.mkdir(private, 0o700)
        os.rename(token, private + "/token")
        os.chown(private + "/token", uid, uid)
        self.broker.edit("token_file = " + token, "token_file = " + private + "/token")
        self.broken(["secrets"], "Permission denied", "0600", skipped)
        # Nothing is run as root if that user cannot be taken on.
        os.chown(private, uid, uid)
        self.healthy()
        before = self.calls()
        self.lessord = ["setpriv", "--bounding-set", "-setuid,-setgid", self.broker.lessord]
        checks = self.doctor(1)
        self.assertEqual([full_name(c) for c in checks], ["permissions"])
        self.assertIn("cannot switch to user %d" % uid, checks[0]["seen"])
        self.assertEqual(self.calls(), before)
        for path in self.owned:
            if os.path.exists(path):
                self.assertEqual(os.stat(path).st_uid, uid, path)

    def test_an_invalid_configuration(self):
        self.broker.edit("poll = 50ms", "pol = 50ms")
        checks = self.doctor(1)
        failed = [full_name(c) for c in checks if c["result"] == "fail"]
        self.assertEqual(failed, ["plugins hetzner"], checks)
        self.broker.edit("[limits]", "[limit]")
        checks = self.doctor(1)
        self.assertEqual([full_name(c) for c in checks], ["configuration"])
        self.assertIn("--check-config", checks[0]["advice"])

    def test_no_configuration(self):
        os.rename(self.broker.home + "/conf", self.broker.home + "/gone")
        checks = self.doctor(1)
        self.assertEqual([full_name(c) for c in checks], ["configuration"])
        self.assertIn("No such file", checks[0]["seen"])

    def test_a_missing_plugin(self):
        self.broker.edit("provider = hetzner", "provider = nonesuch")
        self.broken(["plugins hetzner"], "nonesuch", "install",
                    ["reach hetzner", "clock hetzner", "credentials hetzner", "generation hetzner"])

    def test_certificates(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is missing")
        home = self.broker.home
        self.broker.edit("settle = 1s", "settle = 1s\ntls_certificate = %s/cert.pem\n"
                         "tls_key = %s/key.pem" % (home, home))
        ca = Authority(home + "/ca")
        soon = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 5 * 86400))
        for number, end, seen, grade in ((1, "20200201000000Z", "expired on", "fail"),
                                         (2, soon, "expires on", "warn"),
                                         (3, "20990101000000Z", "", "ok")):
            pair = ca.issue("server%d" % number, end=end)
            for source, target in zip(pair, ("cert.pem", "key.pem")):
                shutil.copy(source, home + "/" + target)
                os.chmod(home + "/" + target, 0o600)
            if grade == "ok":
                self.healthy()
            else:
                self.broken(["tls"], seen, "renew", grade=grade)

    def test_a_nearly_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("only root may mount a file system")
        small = self.backups + "/small"
        os.mkdir(small)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", small],
                              check=False, stderr=subprocess.DEVNULL)
        if done.returncode:
            self.skipTest("a file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        shutil.copy(self.backups + "/lessor-Mon.db", small)
        self.backups = small
        self.broken(["disk"], "MiB free for the backups", "free space")

    # ---- broken: the store

    @sqlite_only("it damages the file")
    def test_a_damaged_database(self):
        self.stop()
        with open(self.broker.home + "/store", "r+b") as file:
            file.write(b"not a database at all")
        self.broken(["store"], "damaged or not a database", "backup", ["generation hetzner"])

    @sqlite_only("the server has no such file")
    def test_no_database(self):
        self.stop()
        os.rename(self.broker.home + "/store", self.broker.home + "/gone")
        self.broken(["store"], "there is no database", "token add", ["generation hetzner"])

    @sqlite_only("the server has no such file")
    def test_a_database_that_others_can_read(self):
        self.stop()
        os.chmod(self.broker.home + "/store", 0o644)
        checks = self.doctor(1)
        failed = {c["name"] for c in checks if c["result"] == "fail"}
        self.assertIn("permissions", failed, checks)

    @sqlite_only("the file is restored")
    def test_a_restored_older_backup(self):
        home = self.broker.home
        self.stop()
        shutil.copy(home + "/store", home + "/older")
        # Each start raises the generation.
        self.broker.start()
        until(self.verified, why="the account was not verified")
        self.stop()
        with open(home + "/older", "rb") as old, open(home + "/store", "r+b") as now:
            now.write(old.read())
            now.truncate()
        self.broken(["generation hetzner"], "of another process", "take-over hetzner --looked")

    @sqlite_only("PostgreSQL has tools of its own for that")
    def test_backups(self):
        os.utime(self.backups + "/lessor-Mon.db", (1, 1))
        self.broken(["backup"], "hours old", "journalctl", grade="warn")
        os.unlink(self.backups + "/lessor-Mon.db")
        self.broken(["backup"], "no backup in", "lessord-backup.timer", grade="warn")

    def test_no_server(self):
        if not os.environ.get("LESSOR_TEST_STORE"):
            self.skipTest("PostgreSQL only")
        self.stop()
        with open(self.broker.home + "/conf", encoding="ascii") as file:
            url = [l for l in file if l.startswith("url = ")][0]
        self.broker.edit(url, "url = postgresql://lessor@127.0.0.1:1/x\n")
        self.broken(["store"], "no connection", "server runs", ["generation hetzner"])

    # ---- from outside: lessor doctor

    def outside(self, code, url=None, token=None, env=None, words=()):
        """The checks of lessor doctor as {name: check}."""
        done = subprocess.run([need("LESSOR"), "doctor", "--json", *words], check=False, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={
                                  "HOME": self.broker.home, "PATH": os.environ["PATH"],
                                  "LESSOR_URL": url or "http://127.0.0.1:%d" % self.broker.port,
                                  "LESSOR_TOKEN": token or self.broker.alice, **(env or {})})
        self.assertEqual(done.returncode, code, done)
        report = json.loads(done.stdout)
        self.assertEqual(report["result"], "fail" if code else "ok", done)
        return {c["name"]: c for c in report["checks"]}

    def outside_broken(self, name, seen, advice, **more):
        checks = self.outside(1, **more)
        self.assertEqual([n for n, c in checks.items() if c["result"] in ("fail", "warn")], [name],
                         checks)
        self.assertIn(seen, checks[name]["seen"])
        self.assertIn(advice, checks[name]["advice"])

    def test_from_outside(self):
        checks = self.outside(0)
        self.assertEqual({n for n, c in checks.items() if c["result"] == "ok"} - {"rsync"},
                         {"settings", "files", "reach", "clock", "token", "version", "account",
                          "ssh"}, checks)
        self.assertIn("role user", checks["token"]["seen"])
        self.outside_broken("token", "the token was rejected", "lessor login",
                            token="lsr_" + "x" * 48)
        self.outside_broken("reach", "cannot connect", "check the URL", url="http://127.0.0.1:1")
        self.outside_broken("settings", "is not a URL", "context show", url="nonsense")
        self.outside_broken("ssh", "cannot be run", "OpenSSH",
                            env={"LESSOR_SSH": "/nonexistent/ssh"})
        text = self.broker.cli("doctor")
        self.assertRegex(text, r"(?m)^ok    token         role admin, owner root@example.com$")

    def test_an_outside_file_that_others_write(self):
        os.makedirs(self.broker.home + "/.config/lessor")
        with open(self.broker.home + "/.config/lessor/lessor.conf", "w", encoding="ascii"):
            pass
        os.chmod(self.broker.home + "/.config/lessor/lessor.conf", 0o666)
        self.outside_broken("files", "mode 0666", "chmod 600")

    @unittest.skipUnless(SKEW, "a preloaded library and a sanitizer do not go together")
    def test_an_outside_clock(self):
        with open(self.broker.home + "/skew", "w", encoding="ascii") as file:
            file.write("600\n")
        self.outside_broken("clock", "ahead of", "timedatectl",
                            env={"LD_PRELOAD": SKEW, "SKEW": self.broker.home + "/skew"})

    def test_an_outside_certificate(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is missing")
        home = self.broker.home
        ca = Authority(home + "/ca")
        for name, more, words, seen, advice in (
                ("good", {}, ["--ca-file", ca.file], "", ""),
                ("good", {}, [], "", "ca_file"),
                ("old", {"end": "20200201000000Z"}, ["--ca-file", ca.file], "expired", "renew"),
                ("other", {"names": "DNS:other.example"}, ["--ca-file", ca.file],
                 "for other names", "the name")):
            if not os.path.exists(ca.home + "/%s.pem" % name):
                pair = ca.issue(name, **more)
            front = Front(self.broker.port, pair)
            try:
                url = "https://127.0.0.1:%d" % front.port
                if seen or advice:
                    self.outside_broken("tls", seen, advice, url=url, words=words)
                else:
                    self.assertIn("expires on 2099-01-01",
                                  self.outside(0, url=url, words=words)["tls"]["seen"])
            finally:
                front.close()


if __name__ == "__main__":
    need("LESSORD")
    unittest.main()
