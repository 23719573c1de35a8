# SPDX-License-Identifier: MIT
"""Every request that our parser accepts must be accepted and read identically by another parser.

Runs http-parse-dump over a corpus and over seeded mutations of it. Every request that our
parser accepts is passed, alone, to h11 (with --node also to Node's llhttp), which must find
one request with the same end, method, target, header list and body. Our parser may be
stricter than the others, never laxer.

The only intended difference: our parser skips one CRLF before a request line (RFC 9112, 2.2)
and h11 does not, so it is removed before h11 sees it.

Exit codes: 0 no difference, 1 a difference (the input is printed and, with --keep, saved),
77 an oracle is missing.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys

PIECES = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"  ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x7f",
    b"\x85", b"\xa0", b"\xff", b":", b";", b",", b"=", b'"', b"/", b"?", b"#", b"%", b"%00",
    b"%0d%0a", b"*", b"0", b"1", b"9", b"a", b"-", b"+", b"_", b"0x", b"00", b"ffffffff",
    b"HTTP/1.1",
    b"HTTP/1.0", b"GET ", b"POST ", b"HEAD ", b"CONNECT ", b"/x", b"http://a/", b"Host: a\r\n",
    b"Host:\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Length: 5, 5\r\n",
    b"content-length:\t3 \r\n", b"Content-Length : 5\r\n", b"Content_Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding:\tchunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n", b"Connection: close\r\n",
    b"Connection: upgrade\r\n",
    b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"A: b\r\n c\r\n", b"A : b\r\n",
    b"X: \x80\xff\r\n",
    b"5\r\nabcde\r\n", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n", b"5;a=b\r\nabcde\r\n", b"1\r\na\r\n",
    b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n",
]


class Dump:
    """Our parser: one process for all inputs."""

    def __init__(self, path):
        self.process = subprocess.Popen([path, "--serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def ask(self, data):
        pipe = self.process
        pipe.stdin.write(struct.pack("<I", len(data)) + data)
        pipe.stdin.flush()
        head = pipe.stdout.read(4)
        if len(head) != 4:
            raise SystemExit("the parser exited on input %r" % data)
        return pipe.stdout.read(struct.unpack("<I", head)[0])

    def accepted(self, data):
        """The requests that our parser accepts."""
        lines = self.ask(data).split(b"\n")
        return [json.loads(line) for line in lines[:-2]]


def normal(method, target, headers, body):
    """h11 converts field names and the name of the transfer coding to lower case."""
    return (method, target, [(n.lower(), v.lower() if n.lower() == b"transfer-encoding" else v)
                             for n, v in headers], body)


def ours(request):
    latin = lambda s: s.encode("latin-1")
    return normal(latin(request["method"]), latin(request["target"]),
                  [(latin(n), latin(v)) for n, v in request["headers"]], latin(request["body"]))


class H11:
    name = "h11"

    def __init__(self):
        import h11
        self.h11 = h11

    def read(self, data):
        """Returns (the request, None) or (None, the error)."""
        h11 = self.h11
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 24)
        request, body = None, []
        try:
            connection.receive_data(data[2:] if data.startswith(b"\r\n") else data)
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return None, "incomplete: %r" % (event,)
        except h11.RemoteProtocolError as why:
            return None, str(why)
        rest = connection.trailing_data[0]
        if rest:
            return None, "the request ends %d bytes earlier" % len(rest)
        return normal(request.method, request.target, list(request.headers), b"".join(body)), None


class Node:
    """Node's llhttp, in its own process with the same framing as our parser."""
    name = "llhttp"

    def __init__(self, path):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "llhttp.js")
        self.process = subprocess.Popen([path, "--no-deprecation", script], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def read(self, data):
        pipe = self.process
        pipe.stdin.write(struct.pack("<I", len(data)) + data)
        pipe.stdin.flush()
        length = struct.unpack("<I", pipe.stdout.read(4))[0]
        answer = json.loads(pipe.stdout.read(length))
        if "refused" in answer:
            return None, answer["refused"]
        latin = lambda s: s.encode("latin-1")
        pairs = answer["headers"]
        headers = [(latin(pairs[i]), latin(pairs[i + 1])) for i in range(0, len(pairs), 2)]
        return normal(latin(answer["method"]), latin(answer["target"]), headers,
                      latin(answer["body"])), None


class Mutator:
    def __init__(self, seeds, seed):
        self.seeds = seeds
        self.random = random.Random(seed)

    def once(self, data):
        r = self.random
        at = r.randrange(len(data) + 1)
        end = min(len(data), at + 1 + int(r.expovariate(0.15)))
        kind = r.randrange(9)
        if kind == 0 and data:
            at = r.randrange(len(data))
            return data[:at] + bytes([r.randrange(256)]) + data[at + 1:]
        if kind == 1 and data:
            at = r.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << r.randrange(8)]) + data[at + 1:]
        if kind == 2:
            return data[:at] + data[end:]
        if kind == 3:
            return data[:at] + data[at:end] + data[at:]
        if kind == 4:
            other = r.choice(self.seeds)
            return data[:at] + other[r.randrange(len(other) + 1):]
        if kind == 5:
            lines = data.split(b"\r\n")
            i, j = r.randrange(len(lines)), r.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            return b"\r\n".join(lines)
        if kind == 6:
            lines = data.split(b"\r\n")
            lines.insert(r.randrange(len(lines)), r.choice(PIECES).rstrip(b"\r\n"))
            return b"\r\n".join(lines)
        return data[:at] + r.choice(PIECES) + data[at if kind == 7 else end:]

    def next(self):
        data = self.random.choice(self.seeds)
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            data = self.once(data)[:1 << 17]
        return data


class Judge:
    def __init__(self, dump, oracles, keep):
        self.dump, self.oracles, self.keep = dump, oracles, keep
        self.inputs = self.requests = self.differences = 0

    def differs(self, oracle, data, why):
        self.differences += 1
        print("%s: %s\n  input: %r" % (oracle.name, why, data))
        if self.keep:
            os.makedirs(self.keep, exist_ok=True)
            with open(os.path.join(self.keep, "difference-%d" % self.differences), "wb") as file:
                file.write(data)

    def check(self, data):
        self.inputs += 1
        begin = 0
        for request in self.dump.accepted(data):
            part = data[begin:request["end"]]
            begin = request["end"]
            self.requests += 1
            for oracle in self.oracles:
                theirs, why = oracle.read(part)
                if why:
                    self.differs(oracle, part, "rejects a request that we accept: " + why)
                elif theirs != ours(request):
                    self.differs(oracle, part, "reads %r, we read %r" % (theirs, ours(request)))


def seeds_read(folder):
    seeds = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            seeds.append(file.read())
    return seeds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump", required=True, help="path of http-parse-dump")
    parser.add_argument("--mutations", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--node", help="path of node, to compare with its llhttp too")
    parser.add_argument("--keep", help="folder for inputs that cause a difference")
    parser.add_argument("corpus")
    options = parser.parse_args()
    try:
        oracles = [H11()]
    except ImportError:
        print("python3-h11 is not installed")
        return 77
    if options.node:
        oracles.append(Node(options.node))
    seeds = seeds_read(options.corpus)
    if not seeds:
        print("the corpus is empty")
        return 1
    judge = Judge(Dump(options.dump), oracles, options.keep)
    for data in seeds:
        judge.check(data)
    mutator = Mutator([s for s in seeds if s], options.seed)
    for _ in range(options.mutations):
        judge.check(mutator.next())
        if judge.differences >= 20:
            break
    print("%d inputs, %d requests accepted by us, compared with %s: %d differences" % (
        judge.inputs, judge.requests, " and ".join(o.name for o in oracles), judge.differences))
    # Too few accepted requests prove nothing.
    return 1 if judge.differences or judge.requests < judge.inputs // 50 else 0


if __name__ == "__main__":
    sys.exit(main())
