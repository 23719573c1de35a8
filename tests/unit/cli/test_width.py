# SPDX-License-Identifier: MIT
"""What fits a terminal: lines break between words only, and nowhere else than on a terminal."""
import fcntl
import os
import struct
import subprocess
import termios

from cli_case import PROGRAM, Case, gone, lease, main, owed
from cli_server import Answer

REASON = ("the maintainers want to look at the broken kernel module before it is gone, "
          "see https://tracker.example.com/issues/4711")
ATTENTION = ("the server 4711 has the labels of this lease, but not its signature: somebody has "
             "changed them; lessor resolve cbx_0123456789ab forget --reason TEXT")
RESIDUE = [{"kind": "server", "id": "47110815", "name": "lessor-0a1b2c3d-cbx-0123456789ab-1",
            "row": 12, "state": "deleting"},
           {"kind": "ssh_key", "id": "120", "name": "lessor-key-0123456789ab", "row": 13,
            "state": "created"}]
LIVE = lease(slug="documentation-preview", sshHostKey="ssh-ed25519 " + "A" * 68,
             hourlyPrice=0.0208, currency="EUR", imageName="debian-12",
             idleTimeoutSeconds=1800, provisioningAttempts=[
                 {"region": "nbg1", "serverType": "ccx63", "category": "capacity",
                  "message": "the provider has no such server there at the moment, and may have "
                             "one later"}])
KEPT = dict(owed(cleanup="retained"), owner="somebody.with-a-long-name@example.com",
            retention="protected", runningCost=123.45, currency="EUR", retainReason=REASON,
            endedAt="2026-08-21T10:00:00Z", retainUntil="2099-08-28T10:00:00Z")
KEPT["cleanup"]["residue"] = RESIDUE
STUCK = dict(owed(cleanup="attention"), attention=ATTENTION)
STUCK["cleanup"]["residue"] = RESIDUE
EVENTS = [{"seq": n, "at": "2026-08-21T10:00:00.000Z", "kind": "attempt_refused",
           "text": "ccx63 in nbg1: " + REASON} for n in (1, 2)]
USAGE = {"usage": {"month": "2026-08", "leases": 1234, "activeLeases": 12, "runtimeSeconds": 3e6,
                   "estimatedUSD": 1234.56, "reservedUSD": 99.5,
                   "byOwner": [{"key": "somebody.with-a-long-name@example.com", "leases": 1000,
                                "activeLeases": 3, "runtimeSeconds": 1e6, "estimatedUSD": 1000.0,
                                "reservedUSD": 10.0}]}, "limits": {"maxActiveLeases": 20}}
STRAY = {"kind": "server", "id": "47110815", "name": "lessor-0a1b2c3d-cbx-0123456789ab-1",
         "lease": "cbx_0123456789ab", "why": "its lease has ended", "sightings": 3,
         "firstSeenAt": "2026-08-21T10:00:00Z", "stays": "it is younger than the grace period"}
SWEEP = {"accounts": [{"account": "hetzner-production", "sweptAt": "2026-08-21T10:00:00Z",
                       "objects": 12, "unproven": 2, "strays": [STRAY, dict(STRAY, id="8")]}]}
PROVIDERS = {"providers": [{"name": "hetzner-production", "plugin": "hetzner", "provenAt": "x",
                            "locations": ["fsn1", "nbg1", "hel1"], "image": "debian-12",
                            "message": "the image debian-11 is retired by the provider on "
                                       "2026-12-01; set image = debian-12"}],
             "classes": [{"name": "standard", "types": ["cx23", "cx33", "cpx31", "cpx41", "ccx13",
                                                        "ccx23", "ccx33", "cax11", "cax21"]}]}


def script(request):
    if request.path.endswith("/events"):
        return Answer(200, {"events": EVENTS if "after=0" in request.query else []})
    if request.path == "/v1/leases":
        return Answer(200, {"leases": [KEPT] if "retained" in request.query else
                            [STUCK] if "attention" in request.query else
                            [LIVE, dict(LIVE, id="cbx_0123456789ac", slug="a", state="provisioning",
                                        host=""), KEPT, gone()]})
    return Answer(200, {"/v1/usage": USAGE, "/v1/admin/sweep": SWEEP,
                        "/v1/providers": PROVIDERS}.get(request.path) or
                  {"lease": {"kept": KEPT, "stuck": STUCK}.get(request.path.split("/")[3], LIVE)})


class Width(Case):
    commands = (["list"], ["list", "--all"], ["list", "--retained"], ["list", "--attention"],
                ["show", "live"], ["show", "kept"], ["show", "stuck"], ["events", "x"], ["usage"],
                ["sweep"], ["providers"])

    def terminal(self, width, *words, size=True, **env):
        """Standard output on a terminal of its own."""
        ours, theirs = os.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        if size:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        done = subprocess.Popen([PROGRAM, *words], env=dict(self.env, **env), stdout=theirs,
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        os.close(theirs)
        text = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.close(ours)
        err = done.communicate(timeout=60)[1]
        self.assertEqual(done.returncode, 0, err)
        self.assertNotIn(b"\x1b", text)
        return text.decode(), err

    def check(self, text, width, piped, words):
        known = set(piped.split())
        for line in text.split("\n"):
            if len(line) > width:
                self.assertLessEqual(len(line.split()), 2, (words, width, line))
                self.assertGreater(max(map(len, line.split())), width // 2, (words, width, line))
            for word in line.split():
                self.assertIn(word, known, f"{words} at {width}: {line}\n{text}")

    def test_u9_lines_fit(self):
        self.serve(script)
        for words in self.commands:
            piped = self.run_cli(*words, code=0).out
            for width in (60, 80, 120):
                text, err = self.terminal(width, *words)
                self.check(text, width, piped + "\nLEASE", words)
                hidden = err.split("not shown in this width: ")[1:]
                # Everything is there, or it is said what is not.
                if not hidden and "cbx_" in piped:
                    self.assertEqual(set(text.split()), set(piped.split()), (words, width, text))

    def test_u9_a_wide_terminal_shows_what_a_pipe_does(self):
        self.serve(script)
        for words in self.commands:
            self.assertEqual(self.terminal(500, *words)[0], self.run_cli(*words, code=0).out)

    def test_u9_what_matters_stays(self):
        self.serve(script)
        for words, parts in ((["list"], ["cbx_0123456789ab", "documentation-preview", "provisioning"]),
                             (["list", "--retained"], ["cbx_0123456789ab", "123.45 EUR"]),
                             (["list", "--attention"], ["cbx_0123456789ab"])):
            text = self.terminal(60, *words)[0]
            for part in parts:
                self.assertIn(part, text)
        # The reason has more than the six columns it once had.
        for words, name in ((["list", "--retained"], "REASON"), (["list", "--attention"], "ATTENTION")):
            for width in (60, 80, 120):
                lines = self.terminal(width, *words)[0].splitlines()
                start = lines[0].find(name)
                if start >= 0:
                    self.assertGreaterEqual(max(map(len, lines)) - start, 30, lines)

    def test_u9_very_narrow(self):
        """A paragraph for each row, with all of it."""
        self.serve(script)
        text, err = self.terminal(30, "list", "--retained")
        self.assertEqual(err, "")
        self.assertRegex(text, r"(?m)^LEASE +cbx_0123456789ab$")
        self.assertRegex(text, r"(?m)^COST +123.45 EUR$")
        for words in self.commands:
            self.terminal(1, *words)

    def test_columns(self):
        """COLUMNS is for those who set it; a pipe has no width."""
        self.serve(script)
        self.assertEqual(self.terminal(120, "list", COLUMNS="60"), self.terminal(60, "list"))
        for text in ("", "0", "-5", "x", "99999999999999999999"):
            self.assertEqual(self.terminal(60, "list", COLUMNS=text), self.terminal(60, "list"))
        self.assertEqual(self.terminal(0, "list", size=False), self.terminal(80, "list"))
        before = self.run_cli("list", code=0).out
        self.env["COLUMNS"] = "60"
        self.assertEqual(self.run_cli("list", code=0).out, before)

    def test_wide_letters(self):
        """A column is what the terminal shows, not a byte."""
        self.serve(lambda r: Answer(200, {"leases": [
            dict(KEPT, retainReason="größer " * 30 + "漢字 " * 30)]}))
        text = self.terminal(60, "list", "--retained")[0]
        for line in text.splitlines():
            self.assertLessEqual(len(line) + sum(c in "漢字" for c in line), 60, text)
        self.assertEqual(text.count("größer"), 30)


if __name__ == "__main__":
    main()
