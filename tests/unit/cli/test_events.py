# SPDX-License-Identifier: MIT
"""lessor events --follow against a scripted stream: what is lost, cut off, repeated or no stream."""
import json
import signal

from cli_case import NOT_FOUND, Case, error, gone, lease, main, ok, owed
from cli_server import DROP, HANG, Answer, Stream

ID = "cbx_0123456789ab"
HELLO = "retry: 1\n\nid: h%d\nevent: hello\ndata: {}\n\n"
GOES_ON = "retry: 1\n\nevent: hello\ndata: {}\n\n"


def event(n, of=ID, number=None):
    data = {"leaseID": of, "slug": "violet-prawn", "provider": "hetzner", "seq": n, "at": "t",
            "type": "k", "message": "m%d" % n}
    return "id: %s\nevent: lease\ndata: %s\n\n" % (number or "i%d" % n, json.dumps(data))


def page(*numbers):
    return Answer(200, {"events": [{"seq": n, "at": "t", "type": "k", "message": "m%d" % n}
                                   for n in numbers]})


def after(request):
    return int(request.query.split("after=")[1].split("&")[0])


class Follow(Case):
    """`self.streams`: what the connections to the stream get; `self.past`: the lease's events."""

    def setUp(self):
        super().setUp()
        self.env["LESSOR_TOKEN"] = "s3cret-token"
        self.streams, self.past, self.over, self.asked = [], [], False, []

    def script(self, request):
        if request.path == "/v1/events":
            self.asked.append(request.headers["Last-Event-ID"])
            self.assertEqual(request.headers["Accept"], "text/event-stream")
            answer = self.streams.pop(0)
            return answer() if callable(answer) else answer
        if request.path == "/v1/leases/%s/events" % ID:
            return page(*[n for n in sorted(self.past) if n > after(request)])
        return ok(gone() if self.over else owed())

    def ends_with(self, *numbers):
        """A change of the scripted world: the lease is over, and its past is this."""
        self.past, self.over = list(numbers), True

    def numbers(self, *words, code=0, out="out"):
        r = self.run_cli("events", *words, "--follow", "--json", code=code)
        lines = [json.loads(line) for line in getattr(r, out).splitlines()]
        return [line["seq"] for line in lines if "seq" in line], lines, r

    def test_the_past_then_what_comes(self):
        self.past = [1, 2]

        def last():
            self.ends_with(1, 2, 3, 4, 5)
            return Stream(GOES_ON, event(4), hangs=True)
        # 2 comes with the past and with the stream; 5 is committed with the end.
        self.streams = [Stream(HELLO % 1, event(2) + event(9, of="cbx_ffffffffffff"), event(3)),
                        last]
        self.serve(self.script)
        got, lines, _ = self.numbers("violet-prawn")
        self.assertEqual(got, [1, 2, 3, 4, 5])
        self.assertEqual(self.asked, [None, "i3"])
        # A line is the same, whichever way it came.
        for n, line in enumerate(lines):
            self.assertEqual(line, {"leaseID": ID, "slug": "violet-prawn", "provider": "hetzner",
                                    "seq": n + 1, "at": "t", "type": "k", "message": "m%d" % (n + 1)})

    def test_a_lower_number_may_come_later(self):
        self.past = [1, 3]

        def last():
            self.ends_with(1, 2, 3)
            return Stream(GOES_ON, event(3), hangs=True)
        self.streams = [Stream(HELLO % 1, event(2)), last]
        self.serve(self.script)
        self.assertEqual(self.numbers("x")[0], [1, 3, 2])

    def test_an_event_that_is_cut_off_comes_again(self):
        def last():
            self.ends_with(1, 2)
            return Stream(GOES_ON, event(2), hangs=True)
        self.streams = [Stream(HELLO % 1, event(1), event(2)[:-1]), DROP, error(503, "busy"), last]
        self.serve(self.script)
        self.assertEqual(self.numbers("x")[0], [1, 2])
        self.assertEqual(self.asked, [None, "i1", "i1", "i1"])

    def test_an_id_without_an_event_counts(self):
        def last():
            self.ends_with()
            return Stream(GOES_ON, hangs=True)
        self.streams = [Stream(HELLO % 1, ": nothing new\nid: i7\n\n"), last]
        self.serve(self.script)
        self.numbers("x")
        self.assertEqual(self.asked, [None, "i7"])

    def test_the_past_cannot_be_read(self):
        """Then nothing was followed so far: the next stream begins where it will."""
        self.past = [1]
        answers = [error(503, "busy")]

        def script(request):
            if request.path.endswith("/%s/events" % ID) and answers:
                return answers.pop()
            return self.script(request)

        def last():
            self.ends_with(1, 2)
            return Stream(HELLO % 2, event(2), hangs=True)
        self.streams = [Stream(HELLO % 1, event(2), hangs=True), last]
        self.serve(script)
        self.assertEqual(self.numbers("x")[0], [1, 2])
        self.assertEqual(self.asked, [None, None])

    def test_reset_reads_the_past_again(self):
        self.past = [1]

        def last():
            self.past = [1, 2, 3]
            return Stream("retry: 1\n\nid: h9\nevent: reset\ndata: {\"message\":\"read again\"}\n\n",
                          event(4), hangs=False)

        def end():
            self.ends_with(1, 2, 3, 4)
            return Stream(GOES_ON, hangs=True)
        self.streams = [Stream(HELLO % 1), last, end]
        self.serve(self.script)
        got, _, r = self.numbers("x")
        self.assertEqual((got, r.err), ([1, 2, 3, 4], ""))
        self.assertEqual(self.asked, [None, "h1", "i4"])

    def test_the_lease_is_pruned_meanwhile(self):
        def last():
            self.script = lambda request: NOT_FOUND
            return Stream(GOES_ON + event(2), hangs=True)
        self.past, self.streams = [1], [Stream(HELLO % 1), last]
        self.serve(lambda r: self.script(r))
        got, lines, _ = self.numbers("x", code=3)
        self.assertEqual((got, lines[-1]["error"]), ([1, 2], "not_found"))

    def test_all_leases(self):
        other = "cbx_ffffffffffff"
        self.streams = [Stream(HELLO % 1, event(1) + event(2, of=other)),
                        Stream("retry: 1\n\nid: h2\nevent: reset\ndata: {\"message\":\"it is old\"}\n\n",
                               event(5)),
                        error(401, "unauthorized", "The token was revoked.")]
        self.serve(self.script)
        got, lines, r = self.numbers(code=5)
        self.assertEqual(got, [1, 2, 5])
        self.assertEqual([line["leaseID"] for line in lines[:-1]], [ID, other, ID])
        self.assertEqual(lines[-1]["error"], "unauthorized")
        self.assertIn("warning: events may be missing here: it is old\n", r.err)
        self.assertEqual(self.asked, [None, "i2", "i5"])

    def test_for_people(self):
        self.streams = [Stream(HELLO % 1, event(1)), error(401, "unauthorized")]
        self.serve(self.script)
        self.assertEqual(self.run_cli("events", "--follow", code=5).out,
                         "t  violet-prawn  k  m1\n")
        self.streams, self.past = [Stream(HELLO % 1, event(2)), error(401, "unauthorized")], [1]
        self.assertEqual(self.run_cli("events", "x", "--follow", code=5).out, "t  k  m1\nt  k  m2\n")

    def test_no_stream(self):
        self.serve(lambda r: NOT_FOUND if r.path == "/v1/events" else ok(lease()))
        for words in ([], ["x"]):
            r = self.run_cli("events", *words, "--follow", code=1)
            self.assertEqual(r.err, "lessor: events: this server has no stream of events (HTTP 404);"
                             " --follow needs a newer lessord\n")
        r = self.run_cli("events", "--follow", "--json", code=1)
        self.assertEqual((r.json()["error"], r.json()["status"]), ("not_found", 404))

    def test_what_is_no_stream_of_lessord(self):
        for answer, want in (
                (Answer(200, {"ok": True}), "is not a stream of events; is that lessord"),
                (Answer(200, raw=b"<html>"), "is not a JSON object; is that lessord"),
                (Answer(503, {"error": "busy", "message": "Full."}), "Full. (busy, HTTP 503)"),
                (Stream("event: hello\ndata: []\n\n"), "an event that is not a JSON object"),
                (Stream("data: " + "x" * 300000), "an event that is too long")):
            with self.subTest(want=want):
                self.serve(lambda r, answer=answer: answer)
                r = self.run_cli("events", "--follow")
                self.assertIn(want, r.err)
                self.assertIn(r.code, (1, 7))

    def test_words(self):
        self.serve(lambda r: HANG)
        self.assertIn("name a lease, or follow all of them with --follow",
                      self.run_cli("events", code=2).err)
        self.run_cli("events", "", "--follow", code=2)
        self.run_cli("events", "a", "b", "--follow", code=2)

    def test_interrupted(self):
        for words, answer in ((["x"], Stream(HELLO % 1, hangs=True)), ([], HANG),
                              ([], Stream(HELLO % 1, hangs=True))):
            server = self.serve(lambda r, a=answer: a if r.path == "/v1/events" else
                                page() if r.path.endswith("/events") else ok(lease()))
            r = self.interrupt_when(server, "GET", "/v1/events", ["events", *words, "--follow"],
                                    number=signal.SIGINT)
            self.assertEqual((r.code, r.out, r.err), (130, "", ""))


if __name__ == "__main__":
    main()
