#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boxes: a real sshd behind each simulated server, from a lease created on the command line
to work in a checkout on the machine.

Environment: LESSORD, LESSOR, LESSOR_PROVIDERS, HETZNER_SIM. Exit 77 (skipped) if there is no
sshd, or if the system does not support boxes."""
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from harness import PATIENCE, Broker, need, until, wait_for  # noqa: E402

# What a machine needs for its ready script, and the test for logging in.
TOOLS = ("sshd", "ssh", "ssh-keygen", "rsync", "git", "curl", "jq", "tmux", "flock", "ps")
QUICK = ["--create-ms", "3000", "--off-ms", "500", "--boot-ms", "1000", "--lag-ms", "200",
         "--delete-ms", "2000", "--ip-delete-ms", "500", "--speed", "100"]
NO_BOXES = 4


def is_alive(pid):
    return os.path.exists("/proc/%d" % pid)


def find_processes(words):
    done = subprocess.run(["pgrep", "-f", "^%s$" % words], stdout=subprocess.PIPE, text=True,
                          check=False)
    return [int(pid) for pid in done.stdout.split()]


def make_key(folder, name):
    path = os.path.join(folder, name)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path],
                   check=True, stdin=subprocess.DEVNULL)
    with open(path, encoding="ascii") as private, open(path + ".pub", encoding="ascii") as public:
        return private.read(), public.read().strip()


class Ssh:
    """An ssh client that trusts a host key on first use. Commands share a connection, like
    those of the crabbox client; it ends with the box."""

    def __init__(self, folder, host, user="crabbox", key="key", port=2222):
        self.at = user + "@" + host
        self.known = os.path.join(folder, "known_hosts-%s-%d" % (host, port))
        self.options = ["-F", "none", "-i", os.path.join(folder, key)]
        for option in ("BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=accept-new",
                       "UserKnownHostsFile=" + self.known, "LogLevel=ERROR", "Port=%d" % port,
                       "ConnectTimeout=%d" % PATIENCE):
            self.options += ["-o", option]
        self.alone = ["ssh", *self.options]
        for option in ("ControlMaster=auto", "ControlPersist=yes",
                       "ControlPath=%s/%s-%%C" % (folder, key)):
            self.options += ["-o", option]

    def words(self, command):
        return ["ssh", *self.options, self.at, command]

    def run(self, command, words=None):
        return subprocess.run(words or self.words(command), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def say(self, command):
        done = self.run(command)
        if done.returncode:
            raise AssertionError("%s: %d: %s%s" % (command, done.returncode, done.stdout,
                                                   done.stderr))
        return done.stdout

    def refused(self):
        done = self.run("", [*self.alone, self.at, "true"])
        return done.returncode == 255 and "refused" in done.stderr

    def wait(self):
        until(lambda: self.run("true").returncode == 0, why="no ssh to " + self.at)
        return self


class Sim:
    """The simulated cloud alone, through its own API."""

    def __init__(self, *options):
        self.home = tempfile.mkdtemp(prefix="boxes-")
        path = self.home + "/port"
        public = make_key(self.home, "key")[1]
        self.log = open(self.home + "/log", "w+b")
        self.process = subprocess.Popen(
            [need("HETZNER_SIM"), "--boxes", "--port-file", path, *QUICK, *options],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.port = wait_for(path, self.process)
        self.ask("POST", "/v1/ssh_keys", {"name": "key", "public_key": public})

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE + 10)
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": "Bearer x"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status // 100 != 2:
            raise AssertionError("%s %s: %d %r" % (method, path, answer.status, text))
        return json.loads(text) if text else None

    def wait(self, condition):
        self.ask("GET", "/_sim/wait?%s&timeout_ms=%d" % (condition, PATIENCE * 1000))

    def create(self, name, **members):
        """Creates a server with a key; returns its id and address once it is running."""
        server = self.ask("POST", "/v1/servers", {
            "name": name, "server_type": "cx23", "image": "debian-12", "ssh_keys": ["key"],
            **members})["server"]
        self.wait("status=%s:running" % name)
        return server["id"], server["public_net"]["ipv4"]["ip"]

    def pid(self, server):
        boxes = self.ask("GET", "/_sim/boxes")["boxes"]
        return next((b["pid"] for b in boxes if b["id"] == server), None)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE)
        self.log.seek(0)
        said = self.log.read()
        self.log.close()
        shutil.rmtree(self.home)
        if self.process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError("%d: %s" % (self.process.returncode, said[-4000:]))


def cloud_config(**members):
    return "#cloud-config\n" + json.dumps(members)


def setUpModule():
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    if missing:
        print("SKIPPED: not installed: " + " ".join(missing))
        sys.exit(77)
    done = subprocess.Popen([need("HETZNER_SIM"), "--boxes"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    # It prints its address, or why it cannot listen.
    line = done.stdout.readline()
    if not line:
        text = done.communicate(timeout=PATIENCE)[1].decode()
        if done.returncode == NO_BOXES:
            print("SKIPPED: this system does not support boxes: " + text)
            sys.exit(77)
        raise AssertionError("%d: %s" % (done.returncode, text))
    done.terminate()
    done.communicate(timeout=PATIENCE)


class Box(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim()
        cls.home = cls.sim.home

    @classmethod
    def tearDownClass(cls):
        cls.sim.end()

    def ssh(self, *args, **more):
        return Ssh(self.home, *args, **more)

    def test_users_and_keys(self):
        other = make_key(self.home, "other")[1]
        host_private, host_public = make_key(self.home, "host")
        server, ip = self.sim.create("keys", user_data=cloud_config(
            users=["default", {"name": "dev", "ssh_authorized_keys": [other]}],
            ssh_keys={"ed25519_private": host_private, "ed25519_public": host_public},
            write_files=[{"path": "/opt/a/b", "permissions": "0640", "content": "hello\n"}],
            runcmd=["id -un >/srv-id", ["sh", "-c", "printf '%s' \"$1\" >/srv-word", "-", "a 'b"]]))
        dev = self.ssh(ip, "dev", "other").wait()
        with open(dev.known, encoding="ascii") as file:
            self.assertIn(host_public.split()[1], file.read())
        self.assertEqual(dev.say("id -un; hostname; pwd; stat -c '%a' /opt/a/b; cat /opt/a/b"),
                         "dev\nkeys\n/home/dev\n640\nhello\n")
        until(lambda: not dev.run("test -e /var/lib/cloud/instance/boot-finished").returncode,
              why="the commands did not finish")
        self.assertEqual(dev.say("cat /srv-id /srv-word"), "dev\na 'b")
        self.assertEqual(self.ssh(ip, "root", "key").say("pwd"), "/root\n")
        for user, key in (("dev", "key"), ("root", "other"), ("nobody", "key"), ("x", "key")):
            done = self.ssh(ip, user, key).run("true")
            self.assertIn("Permission denied (publickey)", done.stderr, (user, key))
        self.sim.ask("DELETE", "/v1/servers/%d" % server)
        self.assertTrue(dev.refused())

    def test_confined(self):
        server, ip = self.sim.create("confined")
        ssh = self.ssh(ip, "root").wait()
        pid = self.sim.pid(server)
        with open("/proc/%d/status" % pid, encoding="ascii") as file:
            status = file.read()
        uid = int(re.search(r"Uid:\t(\d+)", status).group(1))
        self.assertNotEqual(uid, 0)
        self.assertRegex(status, r"CapEff:\t0+\n")
        self.assertEqual(ssh.say("id -u; grep -c 'CapEff:.0*$' /proc/self/status").split(),
                         ["1000", "1"])
        # Only this machine's programs, read-only, and none of its processes.
        self.assertEqual(ssh.say("ls -A /home; ls -A /root"), ".ssh\n")
        self.assertNotEqual(ssh.run("test -e %s" % self.home).returncode, 0)
        self.assertNotIn(str(self.sim.process.pid), ssh.say("ps -e -o pid=").split())
        self.assertIn("Read-only", ssh.run("touch /usr/bin/x").stderr)
        self.assertNotEqual(ssh.run("ls /proc/1/root/ /proc/1/fd/").returncode, 0)
        # All in memory, and only on loopback.
        self.assertEqual(ssh.say("stat -f -c %T / /usr/local"), "tmpfs\ntmpfs\n")
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        ours = [r[1] for r in rows if r[3] == "0A" and r[7] == str(uid)
                and r[1].endswith(":%04X" % 2222)]
        self.assertTrue(ours)
        for address in ours:
            self.assertEqual(address[6:8], "7F", "listens on " + address)

    def test_switched_off_and_on(self):
        server, ip = self.sim.create("power")
        ssh = self.ssh(ip, "root").wait()
        # A process by itself. The shell writes to the first FIFO when that has opened it, and
        # nobody writes to the second.
        name = "/tmp/stays-%d" % secrets.randbits(60)
        stays = "cat %s %s-on" % (name, name)
        ssh.say("mkfifo %s %s-on && setsid -f %s >/dev/null 2>&1 </dev/null && : >%s"
                % (name, name, stays, name))
        left_behind = find_processes(stays)
        self.assertTrue(left_behind)
        pid = self.sim.pid(server)
        self.sim.ask("POST", "/v1/servers/%d/actions/poweroff" % server)
        self.sim.wait("status=power:off")
        self.assertIsNone(self.sim.pid(server))
        self.assertFalse(is_alive(pid))
        self.assertFalse([p for p in left_behind if is_alive(p)], "a process that it left behind")
        self.assertTrue(ssh.refused())
        self.sim.ask("POST", "/v1/servers/%d/actions/poweron" % server)
        self.sim.wait("status=power:running")
        os.unlink(ssh.known)
        ssh.wait()
        self.sim.ask("DELETE", "/v1/servers/%d" % server)
        self.assertTrue(ssh.refused())

    def test_user_data_that_is_not_understood(self):
        server, ip = self.sim.create("odd", user_data="#!/bin/sh\nreboot\n")
        self.assertEqual(self.ssh(ip, "root").wait().say("hostname"), "odd\n")
        self.sim.log.seek(0)
        self.assertIn(b"box odd: ignoring user data that is not #cloud-config in JSON", self.sim.log.read())
        self.sim.ask("DELETE", "/v1/servers/%d" % server)


class End(unittest.TestCase):
    def test_boxes_end_with_the_simulator(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            sim = Sim()
            try:
                server, ip = sim.create("a")
                ssh = Ssh(sim.home, ip, "root").wait()
                pid = sim.pid(server)
                self.assertTrue(is_alive(pid))
                sim.process.send_signal(number)
                sim.process.wait(PATIENCE)
                until(lambda p=pid: not is_alive(p), why="the box did not exit")
                self.assertTrue(ssh.refused())
            finally:
                sim.end()

    def test_a_cloud_that_begins_again(self):
        sim = Sim()
        try:
            server, ip = sim.create("a")
            ssh = Ssh(sim.home, ip, "root").wait()
            pid = sim.pid(server)
            sim.ask("POST", "/_sim/reset")
            self.assertFalse(is_alive(pid))
            self.assertIsNone(sim.pid(server))
            self.assertTrue(ssh.refused())
        finally:
            sim.end()

    def test_never_as_root(self):
        done = subprocess.run([need("HETZNER_SIM"), "--boxes", "--box-user", "root"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, NO_BOXES)
        self.assertIn(b"boxes cannot run as 'root'", done.stderr)


class Lease(unittest.TestCase):
    """A typical use of a lease: create it, sync a checkout, work there, release it."""

    @classmethod
    def setUpClass(cls):
        cls.lessor = need("LESSOR")
        cls.home = tempfile.mkdtemp(prefix="boxes-")
        make_key(cls.home, "key")
        cls.broker = Broker(sim_options=["--boxes", *QUICK])
        cls.env = {"HOME": cls.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                   "LESSOR_URL": "http://127.0.0.1:%d" % cls.broker.port,
                   "LESSOR_TOKEN": cls.broker.alice}

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        shutil.rmtree(cls.home)

    def cli(self, *words):
        done = subprocess.run([self.lessor, *words], env=self.env, text=True, timeout=90,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def boxes(self):
        return self.broker.sim("GET", "/_sim/boxes")["boxes"]

    def make_checkout(self):
        repo = os.path.join(self.home, "project")
        git = ["git", "-C", repo, "-c", "user.name=A", "-c", "user.email=a@example.com"]
        os.makedirs(os.path.join(repo, "src"))
        with open(os.path.join(repo, "src", "greet.sh"), "w", encoding="ascii") as file:
            file.write("echo hello from $(hostname)\n")
        subprocess.run(["git", "init", "-q", repo], check=True, env=self.env)
        subprocess.run([*git, "add", "-A"], check=True, env=self.env)
        subprocess.run([*git, "commit", "-q", "-m", "one"], check=True, env=self.env)
        return repo

    def check_the_first_connection(self, ssh):
        """No trust on first use: the lease contains the host key before the first connection."""
        lease = self.broker.ask("GET", "/v1/leases/my-box", self.broker.alice).lease
        known = os.path.join(self.home, "told")
        words = ["ssh", "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=the-lease",
                 "-o", "UserKnownHostsFile=" + known, *ssh.alone[1:], ssh.at, "true"]
        other = make_key(self.home, "nobodys")[1]
        with open(known, "w", encoding="ascii") as file:
            file.write("the-lease %s\n" % " ".join(other.split()[:2]))
        until(lambda: "Host key verification failed" in ssh.run("", words).stderr,
              why="ssh accepted an unknown host key")
        with open(known, "w", encoding="ascii") as file:
            file.write("the-lease %s\n" % lease["sshHostKey"])
        done = ssh.run("", words)
        self.assertEqual(done.returncode, 0, done.stderr)

    def check_streaming(self, ssh, folder):
        """The box writes the second line only after the test has read the first."""
        work = subprocess.Popen(
            ssh.words("cd %s && mkfifo ../go && sh src/greet.sh && echo aside >&2 && "
                      "read x <../go && git log --format=%%s && exit 7" % folder),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertRegex(work.stdout.readline(), r"^hello from \S+\n$")
        self.assertEqual(work.stderr.readline(), "aside\n")
        ssh.say("echo >%s/../go" % folder)
        out, err = work.communicate(timeout=PATIENCE)
        self.assertEqual((out, err, work.returncode), ("one\n", "", 7))

    def test_a_day(self):
        made = self.cli("create", "--class", "tiny", "--slug", "my-box", "--wait",
                        "--ssh-key", self.home + "/key.pub")
        found = re.search(r"^ssh -i \S+ -p (\d+) (\S+)@(127\.\S+)$", made, re.M)
        self.assertTrue(found, made)
        port, user, ip = int(found.group(1)), found.group(2), found.group(3)
        ssh = Ssh(self.home, ip, user, port=port)
        self.check_the_first_connection(ssh)
        # Like the crabbox client: the script's output is a file of the user.
        ready = ("test -x /usr/local/bin/crabbox-ready && "
                 "/usr/local/bin/crabbox-ready >/tmp/crabbox-ready.log 2>&1; ")
        until(lambda: ssh.run(ready.rstrip("; ")).returncode == 0, why="the ready script failed")
        self.assertEqual(ssh.say(ready + "echo hi"), "hi\n")
        self.assertEqual(ssh.say("id -un; test -w /work/crabbox && mkdir -p ~/.crabbox && echo ok"),
                         "crabbox\nok\n")

        folder = "/work/crabbox/lease/project"
        ssh.say("mkdir -p " + folder)
        subprocess.run(["rsync", "-a", "--delete", "-e", " ".join(["ssh", *ssh.options]),
                        self.make_checkout() + "/", "%s:%s/" % (ssh.at, folder)],
                       check=True, env=self.env, stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual(ssh.say("cd %s && git status --porcelain && git log --format=%%s"
                                 % folder), "one\n")
        self.check_streaming(ssh, folder)

        box, = self.boxes()
        self.assertEqual(box["address"], ip)
        self.assertTrue(is_alive(box["pid"]))
        self.assertIn("nothing is left", self.cli("release", "my-box"))
        self.assertEqual(self.boxes(), [])
        self.assertFalse(is_alive(box["pid"]))
        self.assertTrue(ssh.refused())


if __name__ == "__main__":
    unittest.main(verbosity=2)
