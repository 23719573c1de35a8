#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""lessor ssh, run, cp and ssh-config with real parts: the system's ssh and scp, a real lessord, and
the simulated cloud with its boxes, behind each of which is a real sshd.

Environment: LESSORD, LESSOR, LESSOR_PROVIDERS, HETZNER_SIM. Exit 77 (did not run) where
test_boxes.py does."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_boxes import QUICK, make_key, setUpModule  # noqa: E402,F401
from harness import PATIENCE, Broker, need, until  # noqa: E402  test_boxes.py says where it is


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return "exit %d\n%r\n%s" % (self.code, self.out, self.err.decode("utf-8", "replace"))


class Login(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.lessor = need("LESSOR")
        cls.home = tempfile.mkdtemp(prefix="login-")
        os.mkdir(cls.home + "/.ssh", 0o700)
        make_key(cls.home + "/.ssh", "id_ed25519")
        make_key(cls.home, "other")
        # Whoever writes to the user's known_hosts is found out.
        cls.known = cls.home + "/.ssh/known_hosts"
        with open(cls.known, "w", encoding="ascii") as file:
            file.write("# mine\n")
        cls.broker = Broker(sim_options=["--boxes", *QUICK])
        # ssh finds the keys of a user in the home of the password database, not in $HOME.
        cls.key = cls.home + "/.ssh/id_ed25519"
        cls.env = {"HOME": cls.home, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
                   "LESSOR_URL": "http://127.0.0.1:%d" % cls.broker.port,
                   "LESSOR_TOKEN": cls.broker.alice}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                cls.env[name] = os.environ[name]

    @classmethod
    def tearDownClass(cls):
        cls.broker.close()
        with open(cls.known, encoding="ascii") as file:
            known = file.read()
        shutil.rmtree(cls.home)
        if known != "# mine\n":
            raise AssertionError("known_hosts was changed: " + known)

    def start(self, *words, **more):
        options = dict({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                        "stderr": subprocess.PIPE}, **more)
        return subprocess.Popen([self.lessor, *words], env=self.env, cwd=self.home, **options)

    def finish(self, process, data=None):
        try:
            out, err = process.communicate(data, timeout=PATIENCE + 30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Done(process.returncode, out, err)

    def cli(self, *words, data=None, code=0):
        done = self.finish(self.start(*words, **({"stdin": subprocess.PIPE} if data is not None
                                                 else {})), data)
        self.assertEqual(done.code, code, done)
        return done

    def create(self, slug, *words):
        self.cli("create", "--class", "tiny", "--slug", slug, "--ssh-key", self.key + ".pub", *words)
        self.addCleanup(self.cli, "release", slug, code=(0, 3))
        return slug

    def assertEqual(self, first, second, msg=None):  # noqa: N802
        if isinstance(second, tuple) and isinstance(first, int):
            return self.assertIn(first, second, msg)
        return super().assertEqual(first, second, msg)

    def lease(self, slug):
        return self.broker.ask("GET", "/v1/leases/" + slug, self.broker.alice).lease


class OneMachine(Login):
    """Tests that share a machine."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run([cls.lessor, "create", "--class", "tiny", "--slug", "box", "--ssh-key",
                               cls.key + ".pub"], env=cls.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=90, check=False)
        cls.said = done.stdout.decode()
        assert done.returncode == 0, cls.said
        # The machine has booted.
        done = subprocess.run([cls.lessor, "run", "box", "--", "true"], env=cls.env, timeout=90,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout.decode()

    def test_u6_create_tells_the_way_in(self):
        self.assertIn("lessor ssh box\n", self.said)

    def test_u6_ssh_runs_a_command(self):
        done = self.cli("ssh", "box", "--", "echo here; echo there >&2; exit 7", code=7)
        self.assertEqual((done.out, done.err), (b"here\n", b"there\n"))
        self.assertEqual(self.cli("ssh", self.lease("box")["id"], "--", "id", "-un").out,
                         b"crabbox\n")

    def test_u6_several_words_are_passed_on_exactly(self):
        done = self.cli("ssh", "box", "--", "printf", "%s|", "a  b", "$HOME", "'", "*", "", "-n", "ä")
        self.assertEqual(done.out.decode(), "a  b|$HOME|'|*||-n|ä|")
        self.assertEqual(self.cli("ssh", "box", "--", "sh", "-c", "exit 9", code=9).out, b"")
        self.assertEqual(self.cli("ssh", "box", "--", "echo $((1 + 1)) && :").out, b"2\n")

    def test_u6_input_and_output_are_not_changed(self):
        data = bytes(range(256)) * 4096
        self.assertEqual(self.cli("ssh", "box", "--", "cat", data=data).out, data)
        self.assertEqual(self.cli("run", "box", "--", "cat", data=data).out, data)

    def test_u6_streaming(self):
        """The box writes the second line only after the first has been read."""
        work = self.start("ssh", "box", "--", "echo one; read x; echo $x", stdin=subprocess.PIPE)
        self.assertEqual(work.stdout.readline(), b"one\n")
        work.stdin.write(b"two\n")
        work.stdin.flush()
        self.assertEqual(work.stdout.readline(), b"two\n")
        self.assertEqual(self.finish(work).code, 0)

    def test_u6_a_reader_that_leaves(self):
        work = self.start("ssh", "box", "--", "yes")
        self.assertEqual(work.stdout.readline(), b"y\n")
        work.stdout.close()
        work.stdout = None
        self.finish(work)

    def test_u6_interactive(self):
        """On a terminal: a shell with one, which Ctrl-C reaches."""
        pid, fd = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.execve(self.lessor, [self.lessor, "ssh", "box"], dict(self.env, TERM="dumb"))
        text = b""

        def read_until(mark):
            nonlocal text
            while mark not in text:
                self.assertTrue(select.select([fd], [], [], PATIENCE)[0], text)
                text += os.read(fd, 4096)
            text = text.split(mark, 1)[1]

        os.write(fd, b"echo rea''dy; tty; cat\n")
        read_until(b"ready")
        read_until(b"/dev/pts/")
        os.write(fd, b"typed\n")
        read_until(b"typed\r\ntyped")
        os.write(fd, b"\x03")
        read_until(b"^C")
        os.write(fd, b"echo ali''ve; exit 4\n")
        read_until(b"alive")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 4)
        os.close(fd)

    def test_u6_cp(self):
        tree = self.home + "/tree"
        os.makedirs(tree + "/in side")
        data = bytes(range(256)) * 1000
        with open(tree + "/in side/file", "wb") as file:
            file.write(data)
        self.cli("cp", tree, "box:")
        self.assertEqual(self.cli("ssh", "box", "--", "cat 'tree/in side/file'").out, data)
        self.cli("cp", "box:tree/in side/file", "box:/etc/hostname", self.home)
        with open(self.home + "/file", "rb") as file:
            self.assertEqual(file.read(), data)
        done = self.cli("cp", "box:/no/such", self.home, code=1)
        self.assertIn(b"No such file", done.err)
        for words, text in ((("a", "b"), b"one side must be REF:PATH"),
                            (("box:a", "box:b"), b"lessor ssh box -- cp"),
                            (("box:a", "other:b"), b"two leases"),
                            (("a", "box:b", "box:c"), b"on the same side")):
            self.assertIn(text, self.cli("cp", *words, code=2).err)
        self.cli("cp", "nope:a", ".", code=3)

    def test_u6_ssh_config(self):
        for more in ((), ("--direct",)):
            config = self.home + "/config"
            with open(config, "wb") as file:
                file.write(self.cli("ssh-config", *more, "--identity", self.key).out)
            done = subprocess.run(["ssh", "-F", config, "-o", "BatchMode=yes", "lessor-box", "cat"],
                                  input=b"\0data\n", env=self.env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"\0data\n", b""))
            with open(self.home + "/there", "wb") as file:
                file.write(b"\0x" * 1000)
            for name, tool in (("scp", ["scp", "-q", "-F", config]),
                               ("rsync", ["rsync", "-e", "ssh -F " + config])):
                if not shutil.which(name):
                    continue
                subprocess.run([*tool, self.home + "/there", "box:by-" + name], env=self.env,
                               check=True, timeout=60)
                self.assertEqual(self.cli("ssh", "box", "--", "cat", "by-" + name).out,
                                 b"\0x" * 1000)
        self.assertIn(self.lease("box")["host"], self.cli("ssh-config", "--direct", "box").out.decode())
        self.cli("ssh-config", "nope", code=3)

    def test_u6_another_host_key_is_refused(self):
        """The machine at this address is not the one of the lease."""
        lease = self.lease("box")
        other = make_key(self.home, "nobodys")[1]
        wrong = dict(lease, sshHostKey=" ".join(other.split()[:2]))
        with Impostor(wrong) as url:
            for words in (("ssh", "box", "--", "echo in"), ("run", "box", "--", "echo in"),
                          ("cp", "box:/etc/hostname", self.home)):
                done = self.finish(subprocess.Popen(
                    [self.lessor, *words], env=dict(self.env, LESSOR_URL=url), cwd=self.home,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
                self.assertEqual((done.code, done.out), (255, b""), done)
                self.assertIn(b"is not the one leased", done.err)
        # Another lease at the same address: nothing remembers what was there before.
        with Impostor(dict(lease, id="cbx_00000000000a", slug="later")) as url:
            done = subprocess.run([self.lessor, "ssh", "--identity", self.key, "later", "--",
                                   "echo in"],
                                  env=dict(self.env, LESSOR_URL=url), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"in\n", b""))

    def test_u6_no_host_key(self):
        lease = self.lease("box")
        del lease["sshHostKey"]
        with Impostor(lease) as url:
            env = dict(self.env, LESSOR_URL=url)
            for words in (("ssh", "box", "--", "echo in"), ("ssh-config", "box")):
                done = subprocess.run([self.lessor, *words], env=env, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual((done.returncode, done.stdout), (4, b""))
                self.assertIn(b"no host key is known for lease %s" % lease["id"].encode(), done.stderr)
                self.assertIn(b"--accept-new-host-key", done.stderr)
            done = subprocess.run([self.lessor, "ssh", "--accept-new-host-key", "box", "--", "echo in"],
                                  env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, b"in\n"), done.stderr)

    def test_u6_a_key_that_is_not_accepted(self):
        done = self.cli("ssh", "box", "--identity", self.home + "/other", "--", "true", code=255)
        self.assertIn(b"does not accept your key", done.err)
        done = self.cli("ssh", "box", "--identity", self.home + "/none", "--", "true", code=2)
        self.assertIn(b"--identity: cannot read", done.err)
        # With the agent instead of a file.
        agent = subprocess.run(["ssh-agent", "-s"], stdout=subprocess.PIPE, text=True, check=True)
        found = dict(re.findall(r"(SSH_\w+)=([^;]+);", agent.stdout))
        try:
            env = dict(self.env, SSH_AUTH_SOCK=found["SSH_AUTH_SOCK"])
            subprocess.run(["ssh-add", "-q", self.key], env=env, check=True)
            done = subprocess.run([self.lessor, "ssh", "--identity", self.key + ".pub", "box", "--",
                                   "echo in"], env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual(done.stdout, b"in\n", done.stderr)
        finally:
            os.kill(int(found["SSH_AGENT_PID"]), signal.SIGTERM)


class Lives(Login):
    """Tests of leases that begin and end."""

    def servers(self):
        return self.broker.servers()

    def test_u6_run_creates_and_releases(self):
        done = self.cli("run", "--class", "tiny", "--ssh-key", self.key + ".pub", "--",
                        "cat; echo aside >&2; /usr/local/bin/crabbox-ready && exit 5", data=b"\0in\n",
                        code=5)
        self.assertEqual(done.out, b"\0in\n")
        self.assertIn(b"aside\n", done.err)
        self.assertIn(b"nothing is left", done.err)
        self.assertEqual(self.servers(), [])

    def test_u6_run_keeps(self):
        done = self.cli("run", "--keep", "--class", "tiny", "--slug", "kept", "--ssh-key",
                        self.key + ".pub", "--", "true")
        self.assertIn(b"lessor release ", done.err)
        self.assertEqual(self.lease("kept")["state"], "active")
        self.cli("run", "kept", "--", "true")
        self.assertEqual(self.lease("kept")["state"], "active")
        done = self.cli("run", "--slug", "x", "kept", "--", "true", code=2)
        self.assertIn(b"exists already", done.err)
        self.cli("release", "kept")
        done = self.cli("ssh", self.ended(), "--", "true", code=6)
        self.assertRegex(done.err.decode(), r"has ended at 20\S+ \(\S+\); for a new machine: lessor create")

    def ended(self):
        return self.broker.ask("GET", "/v1/leases?state=released&limit=1",
                               self.broker.alice).json["leases"][0]["id"]

    def test_u6_interrupted_run_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            process = self.start("run", "--class", "tiny", "--ssh-key", self.key + ".pub", "--",
                                 "echo go; exec tail -f /dev/null")
            self.assertEqual(process.stdout.readline(), b"go\n", number)
            process.send_signal(number)
            done = self.finish(process)
            self.assertEqual(done.code, 128 + number, done)
            self.assertIn(b"nothing is left", done.err)
            self.assertEqual(self.servers(), [])

    def test_u6_interrupted_while_it_boots(self):
        process = self.start("run", "--class", "tiny", "--ssh-key", self.key + ".pub", "--", "echo no")
        self.broker.sim_wait("servers=1")
        process.send_signal(signal.SIGTERM)
        done = self.finish(process)
        self.assertEqual((done.code, done.out), (128 + signal.SIGTERM, b""), done)
        until(lambda: not self.servers(), why="a server was left behind")

    def test_u1_a_lease_in_use_does_not_die_of_idleness(self):
        """Nothing but the running command keeps it; without one it expires."""
        self.create("idle", "--idle", "6s")
        first = self.lease("idle")["lastTouchedAt"]
        work = self.start("run", "idle", "--", "echo go; read x; echo done", stdin=subprocess.PIPE)
        self.assertEqual(work.stdout.readline(), b"go\n")
        # More heartbeats than the idle timeout would have outlasted.
        seen = {first}

        def beats():
            lease = self.lease("idle")
            self.assertEqual(lease["state"], "active")
            seen.add(lease["lastTouchedAt"])
            return len(seen) > 3

        until(beats, why="no heartbeats")
        self.assertEqual(self.finish(work, b"\n").code, 0)
        until(lambda: self.lease(self.newest("idle"))["state"] == "expired", why="it does not expire")

    def newest(self, slug):
        leases = self.broker.ask("GET", "/v1/leases?limit=20", self.broker.alice).json["leases"]
        return next(l["id"] for l in leases if l["slug"] == slug)

    def test_u1_a_connection_by_ssh_config_keeps_it_alive(self):
        self.create("proxied", "--idle", "6s")
        config = self.home + "/proxied"
        with open(config, "wb") as file:
            file.write(self.cli("ssh-config", "proxied").out)
        self.cli("run", "proxied", "--", "true")
        work = subprocess.Popen(["ssh", "-F", config, "-o", "BatchMode=yes", "proxied",
                                 "echo go; read x; exit 3"], env=self.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        self.assertEqual(work.stdout.readline(), b"go\n")
        seen = set()

        def beats():
            seen.add(self.lease("proxied")["lastTouchedAt"])
            return len(seen) > 3

        until(beats, why="no heartbeats")
        work.communicate(b"\n", timeout=PATIENCE)
        self.assertEqual(work.returncode, 3)

    def test_u1_the_end_by_ttl_is_told(self):
        self.create("short", "--ttl", "15s")
        done = self.finish(self.start("run", "short", "--", "tail -f /dev/null"))
        text = done.err.decode()
        self.assertRegex(text, r"warning: short ends in \d+s \(ttl\).* lessor extend short 1h\n")
        self.assertRegex(text, r"the lease short ended at 20\S+ \(ttl\)")
        self.assertNotEqual(done.code, 0)

    def test_u6_two_leases_with_one_key(self):
        for slug in ("one", "two"):
            self.create(slug)
        for slug in ("one", "two"):
            self.cli("run", slug, "--", "true")
            self.assertEqual(self.cli("ssh", slug, "--", "hostname").out.decode().strip(),
                             self.lease(slug)["serverName"])
        self.cli("release", "two")
        self.assertEqual(self.cli("ssh", "one", "--", "echo still").out, b"still\n")


class Impostor:
    """A lessord that answers every request with this lease; heartbeats too."""

    def __init__(self, lease):
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "cli"))
        from cli_server import Answer, Server  # noqa: E402
        self.server = Server(lambda request: Answer(200, {"lease": lease}))

    def __enter__(self):
        return self.server.url

    def __exit__(self, *args):
        self.server.__exit__()


if __name__ == "__main__":
    unittest.main(verbosity=2)
