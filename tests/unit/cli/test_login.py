# SPDX-License-Identifier: MIT
"""ssh, run, cp and ssh-config with a scripted server and programs called ssh and scp that are
scripts: the words they get, signals, exit codes and heartbeats. tests/sim/test_login.py has the
real ones."""
import os
import pty
import select
import signal
import socket
import subprocess
import threading

from cli_case import NOT_FOUND, PROGRAM, Case, error, gone, lease, main, ok
from cli_server import DROP, HANG, PATIENCE, Answer

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhvc3RrZXlob3N0a2V5aG9zdGtleWhvc3RrZXlob3N0"

# Notes its words and the known_hosts file; then does what the last word says.
FAKE = r"""#!/bin/sh
[ "$1" != -G ] || exit 0
name=${0##*/}
{
	for word; do
		printf '%s\n' "$word"
		case $word in UserKnownHostsFile=*) cp "${word#*=}" "$HOME/known" 2>/dev/null ;; esac
	done
} >"$HOME/$name.words.$$" && mv "$HOME/$name.words.$$" "$HOME/$name.words"
for last; do :; done
[ "$name" = ssh ] || last=
exec sh -c "$last"
"""


class Login(Case):
    """The machine is at an address of ours that accepts connections."""

    def setUp(self):
        super().setUp()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        os.mkdir(self.home + "/bin")
        for name in ("ssh", "scp"):
            with open(self.home + "/bin/" + name, "w", encoding="ascii") as file:
                file.write(FAKE)
            os.chmod(self.home + "/bin/" + name, 0o755)
        self.env["PATH"] = self.home + "/bin:" + self.env["PATH"]
        self.beats = 0
        self.answers = {}

    def machine(self, **more):
        return lease(**dict({"host": "127.0.0.1", "sshPort": str(self.listener.getsockname()[1]),
                             "sshHostKey": HOST_KEY, "idleTimeoutSeconds": 1800,
                             "ttlSeconds": 5400, "createdAt": "2026-08-21T10:00:00.000Z",
                             "lastTouchedAt": "2026-08-21T10:00:00.000Z",
                             "expiresAt": "2026-08-21T10:30:00.000Z"}, **more))

    def script(self, doc=None, **answers):
        """One lease; `answers` by the last part of the path."""
        self.doc = doc or self.machine()

        def script(request):
            last = request.path.rsplit("/", 1)[1]
            if last in answers:
                return answers[last]
            if last == "release":
                self.doc = gone()
            if request.path == "/v1/leases" and request.method == "GET":
                return Answer(200, {"leases": [self.doc]})
            return ok(self.doc)
        return self.serve(script)

    def words(self, name="ssh"):
        with open(self.home + "/%s.words" % name, encoding="utf-8") as file:
            return file.read().splitlines()

    def options(self, name="ssh"):
        words = self.words(name)
        return dict(words[i + 1].split("=", 1) for i in range(len(words)) if words[i] == "-o")


class Words(Login):
    def test_u6_what_ssh_gets(self):
        self.script()
        r = self.run_cli("ssh", "violet-prawn", "--", "echo out; echo err >&2; exit 3", code=3)
        self.assertEqual((r.out, r.err), ("out\n", "err\n"))
        words, options = self.words(), self.options()
        self.assertEqual(words[-4:], ["-T", "--", "cbx_0123456789ab.lease",
                                      "echo out; echo err >&2; exit 3"])
        for name, value in (("HostName", "127.0.0.1"), ("User", "crabbox"),
                            ("HostKeyAlias", "cbx_0123456789ab"), ("StrictHostKeyChecking", "yes"),
                            ("GlobalKnownHostsFile", "/dev/null"), ("UpdateHostKeys", "no"),
                            ("ControlPath", "none"),
                            ("Port", str(self.listener.getsockname()[1]))):
            self.assertEqual(options[name], value, name)
        self.assertNotIn("-i", words)
        # ssh has no use for the token.
        self.assertEqual(self.run_cli("ssh", "x", "--", "env | grep -c s3cret").out, "0\n")
        with open(self.home + "/known", encoding="ascii") as file:
            self.assertEqual(file.read(), "cbx_0123456789ab %s\n" % HOST_KEY)
        self.assertEqual(os.listdir(self.home + "/.ssh"), ["id_ed25519.pub"])

    def test_u6_ports_are_tried_in_order(self):
        self.script(self.machine(sshPort="1",
                                 sshFallbackPorts=[str(self.listener.getsockname()[1])]))
        self.run_cli("ssh", "x", "--", "true", code=0)
        self.assertEqual(self.options()["Port"], str(self.listener.getsockname()[1]))

    def test_u6_no_port_accepts(self):
        self.script(self.machine(readyAt="2026-08-21T10:00:00.000Z"))
        self.listener.close()
        process = self.start("ssh", "x", "--", "true")
        r = self.finish(process)
        self.assertEqual(r.code, 255)
        self.assertIn("does not accept connections at 127.0.0.1, port", r.err)
        self.assertIn("lessor show cbx_0123456789ab", r.err)

    def test_u6_the_key_of_the_create_is_noted(self):
        key = self.home + "/k e%y"
        for name in (key, key + ".pub"):
            with open(name, "w", encoding="ascii") as file:
                with open(self.home + "/.ssh/id_ed25519.pub", encoding="ascii") as other:
                    file.write(other.read())
        self.script()
        self.run_cli("create", "--ssh-key", key + ".pub", code=0)
        self.run_cli("ssh", "x", "--", "true", code=0)
        words = self.words()
        self.assertEqual(words[words.index("-i") + 1], key)
        self.assertEqual(self.options()["IdentitiesOnly"], "yes")
        noted = self.home + "/.local/state/lessor/identities"
        self.assertEqual(os.stat(noted).st_mode & 0o777, 0o600)
        # Elsewhere, and with the private key in the agent only.
        os.unlink(key)
        self.run_cli("ssh", "x", "--", "true", code=0)
        self.assertIn(key + ".pub", self.words())
        self.env["XDG_STATE_HOME"] = self.home + "/elsewhere"
        self.run_cli("ssh", "x", "--", "true", code=0)
        self.assertNotIn("-i", self.words())
        self.run_cli("ssh", "x", "--identity", key + ".pub", "--", "true", code=0)
        self.assertIn(key + ".pub", self.words())

    def test_u6_cp(self):
        self.script()
        self.run_cli("cp", "a b", "x:to", code=0)
        self.assertEqual(self.words("scp")[-3:], ["--", "a b", "cbx_0123456789ab.lease:to"])
        self.assertEqual(self.options("scp")["HostKeyAlias"], "cbx_0123456789ab")
        self.run_cli("cp", "-r", "x:a", "x:b", "./c:d", code=0)
        self.assertEqual(self.words("scp")[-4:], ["--", "cbx_0123456789ab.lease:a", "cbx_0123456789ab.lease:b",
                                                  "./c:d"])

    def test_u6_cp_of_many_files(self):
        self.script()
        self.run_cli("cp", *["file-%d" % i for i in range(3000)], "x:", code=0)
        self.assertEqual(self.words("scp")[-2:], ["file-2999", "cbx_0123456789ab.lease:"])

    def test_u6_another_ssh(self):
        self.script()
        os.rename(self.home + "/bin/ssh", self.home + "/bin/other")
        self.env["LESSOR_SSH"] = self.home + "/bin/other"
        self.run_cli("ssh", "x", "--", "true", code=0)
        self.assertEqual(self.words("other")[-1], "true")
        self.run_cli("cp", "a", "x:b", code=0)
        words = self.words("scp")
        self.assertEqual(words[words.index("-S") + 1], self.home + "/bin/other")
        for missing in ("/no/such", "no-such-program"):
            self.env["LESSOR_SSH"] = missing
            server = self.script()
            for command in (["ssh", "x"], ["run", "--", "true"], ["cp", "a", "x:b"]):
                r = self.run_cli(*command, code=1)
                self.assertIn("cannot run '%s'; install the OpenSSH client" % missing, r.err)
            self.assertEqual(server.requests, [], "nothing was created")

    def test_u6_an_ssh_that_does_not_work(self):
        server = self.script()
        with open(self.home + "/bin/ssh", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho 'Bad owner or permissions on config' >&2\nexit 255\n")
        r = self.run_cli("run", "--", "true", code=1)
        self.assertIn("does not accept its own configuration: Bad owner or permissions", r.err)
        self.assertEqual(server.requests, [], "nothing was created")

    def test_u6_ssh_config(self):
        self.script(self.machine())
        text = self.run_cli("ssh-config", code=0).out
        self.assertIn("Host violet-prawn lessor-violet-prawn cbx_0123456789ab\n", text)
        self.assertIn("KnownHostsCommand /usr/bin/env echo cbx_0123456789ab %s\n" % HOST_KEY, text)
        self.assertIn(" ssh --stdio cbx_0123456789ab\n", text)
        self.assertNotIn("s3cret", text)
        odd = "http://127.0.0.1:1/%41'b"
        self.env["LESSOR_URL"], url = odd, self.env["LESSOR_URL"]
        text = self.run_cli("ssh-config", "--url", url, "x", code=0).out
        self.assertIn(" --url %s cbx_0123456789ab\n" % url, text)
        self.assertEqual(self.run_cli("ssh-config", "--json", "--url", url, code=0).json(),
                         {"leases": [self.doc]})

    def test_u6_ssh_config_leaves_out_what_cannot_be_logged_in_to(self):
        """One lease without a host key does not take the others with it."""
        bare = self.machine(id="cbx_000000000001", slug="bare")
        del bare["sshHostKey"]
        both = [bare, self.machine(), lease("active", host="")]
        self.serve(lambda request: Answer(200, {"leases": both}))
        r = self.run_cli("ssh-config", code=0)
        self.assertEqual(r.out.count("\nHost "), 1)
        self.assertIn("no host key is known for lease cbx_000000000001", r.err)
        r = self.run_cli("ssh-config", "--accept-new-host-key", code=0)
        self.assertEqual(r.out.count("\nHost "), 2)
        self.assertEqual(r.err, "")
        self.serve(lambda request: Answer(200, {"leases": []}))
        self.assertIn("lessor create", self.run_cli("ssh-config", code=0).err)

    def test_u6_what_a_response_cannot_do(self):
        for member, value in (("host", "-oProxyCommand=x"), ("host", "a b"), ("sshUser", "x;y"),
                              ("sshUser", "-l"), ("sshPort", "22x"), ("sshPort", "70000"),
                              ("slug", "x\nProxyCommand y"), ("sshHostKey", "ssh-ed25519 AA\n* ssh-rsa BB"),
                              ("sshHostKey", "@cert-authority * ssh-rsa BB")):
            self.script(self.machine(**{member: value}))
            for command in (["ssh", "x", "--", "true"], ["ssh-config", "x"]):
                r = self.run_cli(*command, code=1)
                self.assertEqual(r.out, "")
                self.assertIn("invalid machine", r.err)
        self.assertFalse(os.path.exists(self.home + "/ssh.words"))

    def test_u6_usage(self):
        server = self.script()
        for words, text in ((["ssh", "x", "uptime"], "put -- before the command: lessor ssh REF --"),
                            (["run", "uptime"], "put -- before the command: lessor run REF --"),
                            (["run", "x", "uptime"], "put -- before the command"),
                            (["run", "x", "--"], "missing command"), (["run"], "missing command"),
                            (["run", "--no-wait", "--", "true"], "run waits for the machine"),
                            (["run", "--class", "c", "x", "--", "true"], "exists already"),
                            (["ssh", "--stdio", "x", "--", "true"], "takes no command"),
                            (["ssh"], "missing argument")):
            self.assertIn(text, self.run_cli(*words, code=2).err, words)
        self.assertEqual(server.requests, [])

    def test_u6_what_cannot_be_logged_in_to(self):
        for doc, code, text in (
                (lease("provisioning"), 4, "is not ready yet (provisioning); wait for it: lessor wait"),
                (gone("expired", endedAt="2026-08-21T10:30:00.000Z", endReason="idle"), 6,
                 "has ended at 2026-08-21T10:30:00.000Z (idle); for a new machine: lessor create"),
                (self.machine(sshHostKey=""), 4, "no host key is known for lease cbx_0123456789ab")):
            self.script(doc)
            for command in (["ssh", "x"], ["cp", "a", "x:b"], ["ssh-config", "x"]):
                self.assertIn(text, self.run_cli(*command, code=code).err)
        self.serve(lambda request: NOT_FOUND)
        self.run_cli("ssh", "x", code=3)


class Lives(Login):
    def test_u6_run_releases(self):
        server = self.script()
        r = self.run_cli("run", "--", "exit 4", code=4)
        self.assertIn("nothing is left", r.err)
        self.assertEqual([q.path for q in server.seen("POST") if "heartbeat" not in q.path],
                         ["/v1/leases", "/v1/leases/cbx_0123456789ab/release"])
        self.assertFalse(server.seen("POST")[0].body["keep"])

    def test_u6_run_keeps(self):
        server = self.script()
        r = self.run_cli("run", "--keep", "--", "true", code=0)
        self.assertIn("to release it: lessor release cbx_0123456789ab", r.err)
        self.assertEqual(server.seen("POST", "/release"), [])

    def test_u6_a_signal_ends_the_command_and_the_lease(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server = self.script()
            process = self.start("run", "--", "echo go; exec tail -f /dev/null")
            self.assertEqual(process.stdout.readline(), "go\n")
            process.send_signal(number)
            r = self.finish(process)
            self.assertEqual(r.code, 128 + number)
            self.assertEqual(len(server.seen("POST", "/release")), 1)
            self.assertIn("nothing is left", r.err)

    def test_u6_ctrl_c_on_a_terminal(self):
        """The terminal sends it to ssh and to lessor, which still releases."""
        server = self.script()
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(PROGRAM, [PROGRAM, "run", "--", "echo rea''dy; exec tail -f /dev/null"],
                      self.env)
        text = b""
        while b"ready" not in text:
            self.assertTrue(select.select([fd], [], [], PATIENCE)[0], text)
            text += os.read(fd, 4096)
        os.write(fd, b"\x03")
        while b"nothing is left" not in text:
            self.assertTrue(select.select([fd], [], [], PATIENCE)[0], text)
            text += os.read(fd, 4096)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 130)
        os.close(fd)
        self.assertIn("-t", self.words())
        self.assertEqual(len(server.seen("POST", "/release")), 1)

    def test_u6_a_command_that_ignores_signals(self):
        self.script()
        process = self.start("ssh", "x", "--", "trap '' TERM; echo go; exec tail -f /dev/null")
        self.assertEqual(process.stdout.readline(), "go\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process).code, 128 + signal.SIGTERM)

    def test_u6_the_release_fails(self):
        server = self.script(release=error(403, "forbidden", "No."))
        r = self.run_cli("run", "--", "true", code=4)
        self.assertIn("cbx_0123456789ab may still cost money", r.err)
        self.assertEqual(self.run_cli("run", "--", "exit 9").code, 9)
        self.assertEqual(len(server.seen("POST", "/release")), 2)

    def test_u6_lessord_is_away_at_the_end(self):
        """The release is repeated: nobody else will send it."""
        tries = []

        def script(request):
            if request.path.endswith("/release"):
                tries.append(1)
                return DROP if len(tries) == 1 else ok(gone())
            return ok(self.doc)
        self.doc = self.machine()
        self.serve(script)
        r = self.run_cli("run", "--", "true", code=0)
        self.assertIn("nothing is left", r.err)
        self.assertEqual(len(tries), 2)

    def test_u1_heartbeats(self):
        """At once, and every third of the idle timeout."""
        server = self.script(self.machine(idleTimeoutSeconds=3))
        process = self.start("run", "x", "--", "echo go; exec tail -f /dev/null")
        self.assertEqual(process.stdout.readline(), "go\n")
        with server.came:
            self.assertTrue(server.came.wait_for(
                lambda: len(server.matching("POST", "/heartbeat")) >= 4, PATIENCE))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.finish(process).code, 143)
        self.assertEqual(server.seen("POST", "/heartbeat")[0].path,
                         "/v1/leases/cbx_0123456789ab/heartbeat")
        self.assertEqual(server.seen("POST", "/release"), [])

    def test_u1_failures_are_said_once(self):
        server = self.script(self.machine(idleTimeoutSeconds=3),
                             heartbeat=error(503, "store_unavailable", "Later."))
        process = self.start("ssh", "x", "--", "echo go; exec tail -f /dev/null")
        with server.came:
            self.assertTrue(server.came.wait_for(
                lambda: len(server.matching("POST", "/heartbeat")) >= 3, PATIENCE))
        process.send_signal(signal.SIGTERM)
        r = self.finish(process)
        self.assertEqual(r.err.count("a heartbeat failed"), 1, r.err)
        self.assertIn("Later.", r.err)

    def test_u1_a_hanging_heartbeat_delays_nothing(self):
        server = self.script(heartbeat=HANG)
        process = self.start("ssh", "x", "--", "read x; exit 6")
        server.await_request("POST", "/heartbeat")
        self.assertEqual(self.finish(process).code, 6)

    def test_u1_a_lease_that_ends(self):
        self.ended = gone("expired", endedAt="2026-08-21T10:30:00.000Z", endReason="ttl")

        def script(request):
            if request.path.endswith("/heartbeat"):
                self.doc = self.ended
                return error(409, "lease_ended", "It has ended.")
            return ok(self.doc)
        self.doc = self.machine()
        self.serve(script)
        r = self.finish(self.start("ssh", "x", "--", "exec tail -f /dev/null"))
        self.assertIn("the lease violet-prawn ended at 2026-08-21T10:30:00.000Z (ttl)", r.err)
        self.assertEqual(r.err.count("ended at"), 1, r.err)
        self.assertNotEqual(r.code, 0)

    def test_u1_the_end_by_ttl_is_announced(self):
        for touched, expires, idle, told in (
                # The TTL ends before the idle timeout does; after it, and still soon; later.
                ("11:26:00", "11:30:00", 1800, r"ends in (4m|3m 5\ds) \(ttl\)"),
                ("11:28:00", "11:28:10", 10, r"ends in (2m|1m 5\ds) \(ttl\)"),
                ("10:05:00", "10:35:00", 1800, None)):
            server = self.script(self.machine(lastTouchedAt="2026-08-21T%s.000Z" % touched,
                                              expiresAt="2026-08-21T%s.000Z" % expires,
                                              idleTimeoutSeconds=idle))
            work = self.start("ssh", "x", "--", "exec tail -f /dev/null")
            server.await_request("POST", "/heartbeat")
            if told:
                line = work.stderr.readline()
                self.assertRegex(line, told)
                self.assertIn("lessor extend violet-prawn 1h", line)
            work.send_signal(signal.SIGTERM)
            self.assertEqual(self.finish(work).err, "")

    def test_u6_stdio(self):
        """Carries bytes both ways, also when one side has ended, and sends heartbeats."""
        server = self.script()
        data = os.urandom(1 << 20)
        got = []

        def machine():
            for _ in range(2):
                peer, _ = self.listener.accept()
                text = b""
                while part := peer.recv(65536):
                    text += part
                got.append(text)
                peer.sendall(text[::-1])
                peer.close()
        threading.Thread(target=machine, daemon=True).start()
        done = subprocess.run([PROGRAM, "ssh", "--stdio", "x"], input=data, env=self.env, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual((got[0], done.stdout), (data, data[::-1]))
        server.await_request("POST", "/heartbeat")
        # ssh ends its ProxyCommand with SIGHUP.
        process = subprocess.Popen([PROGRAM, "ssh", "--stdio", "x"], env=self.env,
                                   stdin=subprocess.PIPE)
        with server.came:
            self.assertTrue(server.came.wait_for(
                lambda: len(server.matching("POST", "/heartbeat")) >= 2, PATIENCE))
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(PATIENCE), 128 + signal.SIGHUP)
        process.stdin.close()


if __name__ == "__main__":
    main()
