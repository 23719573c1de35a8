#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the units with systemd's own tools. UNITS is the directory that CMake wrote them to."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

# 15 of 100: what remains is network access and reading the root file system.
EXPOSURE_MOST = "15"


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8", SYSTEMD_COLORS="0"))
    return done.returncode, done.stdout.decode("utf-8", "replace")


class Units(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lessor-units-")
        self.addCleanup(shutil.rmtree, self.folder)
        with open(os.environ["UNITS"] + "/lessord.service", encoding="utf-8") as file:
            self.service = file.read()
        # The programs are not installed at the unit's paths.
        self.write("lessord.service", self.service.replace(
            os.environ["SBIN"] + "/lessord", os.environ["LESSORD"]))
        shutil.copy(os.environ["SOURCE"] + "/packaging/systemd/lessord.socket", self.folder)
        shutil.copy(os.environ["SOURCE"] + "/packaging/systemd/lessord-backup.timer", self.folder)
        with open(os.environ["UNITS"] + "/lessord-backup.service", encoding="utf-8") as file:
            self.backup = file.read()
        self.write("lessord-backup.service", self.backup.replace(
            os.environ["SBIN"] + "/lessord", os.environ["LESSORD"]))
        self.path = self.folder + "/lessord.service"

    def write(self, name, text):
        os.makedirs(os.path.dirname(os.path.join(self.folder, name)), exist_ok=True)
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def drop_in(self):
        os.makedirs(self.path + ".d")
        shutil.copy(os.environ["SOURCE"] + "/packaging/systemd/credential.conf", self.path + ".d")

    def verify(self):
        return run("systemd-analyze", "verify", "--man=no", self.path,
                   self.folder + "/lessord.socket", self.folder + "/lessord-backup.timer")

    def test_systemd_has_nothing_to_say(self):
        self.assertEqual(self.verify(), (0, ""))
        self.drop_in()
        self.assertEqual(self.verify(), (0, ""))
        # An error is reported, so an empty output means something.
        self.write("lessord.service.d/other.conf", "[Service]\nLoadCredentials=a:/b\n")
        self.assertIn("LoadCredentials", self.verify()[1])

    def security(self, path=None):
        return run("systemd-analyze", "security", "--offline=true", "--no-pager",
                   "--threshold=" + EXPOSURE_MOST, path or self.path)

    def test_u13_the_timer_backs_up_a_pair_for_each_day_of_the_week(self):
        """The command of the unit, as systemd runs it, with other paths."""
        code, out = self.security(self.folder + "/lessord-backup.service")
        self.assertEqual(code, 0, out)
        command = next(l for l in self.backup.splitlines() if l.startswith("ExecStart="))
        self.assertIn("\nUser=lessor\n", self.backup)
        folder = re.search(r"^ReadWritePaths=-(.*)$", self.backup, re.M).group(1)
        with open(os.environ["UNITS"] + "/lessor.tmpfiles", encoding="utf-8") as file:
            self.assertIn("\nd %s 0700 lessor lessor -" % folder, file.read())
        os.makedirs(self.folder + "/store", 0o700)
        os.mkdir(self.folder + "/copies", 0o700)
        subprocess.run([os.environ["LESSORD"], "token", "add", "--owner", "x", "--store",
                        self.folder + "/store/lessor.db"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        script = re.match(r"ExecStart=/bin/sh -c '(.*)'$", command).group(1)
        script = script.replace("$$", "$").replace("%%", "%").replace(
            os.environ["SBIN"] + "/lessord", os.environ["LESSORD"]).replace(
                folder, self.folder + "/copies")
        script = re.sub("--config [^ ]*", "--store " + self.folder + "/store/lessor.db", script)
        for _ in range(2):
            code, out = run("/bin/sh", "-c", script)
            self.assertEqual(code, 0, out)
        today = subprocess.run(["date", "+%a"], check=True, stdout=subprocess.PIPE, text=True,
                               env=dict(os.environ, LC_ALL="C")).stdout.strip()
        self.assertEqual(os.listdir(self.folder + "/copies"), ["lessor-%s.db" % today])

    def test_leases_end_by_a_clock_that_is_set(self):
        for key in ("Wants", "After"):
            line = next(l for l in self.service.splitlines() if l.startswith(key + "="))
            self.assertIn("time-sync.target", line.split("=")[1].split())

    def test_exposure(self):
        code, out = self.security()
        self.assertEqual(code, 0, out)
        print(out.strip().splitlines()[-1].strip().encode("ascii", "ignore").decode())
        # The check is effective: without these lines it fails.
        self.write("lessord.service", self.service.replace("SystemCallFilter=@system-service\n", "")
                   .replace("CapabilityBoundingSet=\n", ""))
        self.assertNotEqual(self.security()[0], 0)

    def test_no_secret_and_no_credential_in_the_unit_itself(self):
        # With a missing credential, a fresh installation could not start.
        lines = [l for l in self.service.splitlines() if not l.startswith("#")]
        self.assertFalse([l for l in lines if re.match("(LoadCredential|Environment|PassEnv)", l)])
        self.assertIn("UMask=0077", lines)
        self.assertNotIn("@CMAKE", self.service)

    @unittest.skipUnless(shutil.which("systemd-sysusers"), "no systemd-sysusers")
    def test_the_user(self):
        os.mkdir(self.folder + "/etc")
        code, out = run("systemd-sysusers", "--root=" + self.folder,
                        os.environ["UNITS"] + "/lessor.sysusers")
        self.assertEqual(code, 0, out)
        with open(self.folder + "/etc/passwd", encoding="utf-8") as file:
            line = [l for l in file.read().splitlines() if l.startswith("lessor:")][0]
        name, _, uid, gid, _, home, shell = line.split(":")
        self.assertEqual((name, home, shell), ("lessor", os.environ["STATE"], "/usr/sbin/nologin"))
        self.assertLess(int(uid), 1000)
        with open(self.folder + "/etc/group", encoding="utf-8") as file:
            self.assertIn("lessor:x:%s:" % gid, file.read())


class Removal(unittest.TestCase):
    """The scripts of the Debian package, in a folder instead of the root."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="lessor-removal-")
        self.addCleanup(shutil.rmtree, self.root)
        self.state = self.root + "/var/lib/lessor"
        os.makedirs(self.state)
        for name in ("lessor.db", "lessor-runs.db"):
            with open(os.path.join(self.state, name), "w", encoding="ascii") as file:
                file.write(name)
        os.mkdir(self.root + "/bin")
        with open(self.root + "/bin/lessord", "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o755)) as file:
            file.write("#!/bin/sh\n"
                       "[ $1 = --owed ] || { echo store = %s/lessor.db; exit; }\n"
                       "echo cbx_0123456789ab\necho 1 lease with resources left at a provider\n"
                       "exit 7\n" % self.state)

    def script(self, name, action):
        with open(os.environ["SOURCE"] + "/packaging/debian/lessord." + name,
                  encoding="utf-8") as file:
            text = file.read().replace("/var/", self.root + "/var/")
        # Not "stop": the service of this machine, if it has one, is none of the test's.
        text = text.replace("-d /run/systemd/system", "-d /nonexistent")
        with open(self.root + "/script", "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(["/bin/sh", self.root + "/script", action], check=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env={"PATH": self.root + "/bin:" + os.environ["PATH"]})
        return done.stderr.replace(self.root, "")

    def test_text_12_a_removal_and_a_purge_say_where_the_databases_are_and_what_to_run(self):
        said = self.script("prerm", "remove")
        self.assertIn("WARNING: 1 lease with resources left at a provider.\n", said)
        self.assertIn("The databases of lessord stay in /var/lib/lessor; a purge\n"
                      "moves them to /var/backups/lessord-TIME.", said)
        for command in ("apt install lessord", "lessord --owed", "lessor release LEASE"):
            self.assertIn("\n  " + command + "\n", said)
        said = self.script("postrm", "purge")
        kept = re.search(r"are kept in (/var/backups/lessord-\d{8}T\d{6}Z)\.\n", said)
        self.assertIsNotNone(kept, said)
        self.assertEqual(sorted(os.listdir(self.root + kept[1])), ["lessor-runs.db", "lessor.db"])
        self.assertFalse(os.path.exists(self.state))
        self.assertIn("\n  systemctl start lessord\n", said)
        # The command is meant to be pasted.
        restore = re.search(r"^  install -m 0600 -o lessor -g lessor (.+) (.+)$", said, re.M)
        os.mkdir(self.state)
        subprocess.run("install -m 0600 %s%s %s%s" % (self.root, restore[1], self.root, restore[2]),
                       shell=True, check=True)
        self.assertEqual(sorted(os.listdir(self.state)), ["lessor-runs.db", "lessor.db"])


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("SKIPPED, nothing was tested: systemd-analyze is missing")
        sys.exit(77)
    unittest.main()
