#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""TCP proxies between the programs of a storm, in a process of their own so that they are not
slowed down by the clients.

Commands are lines on stdin, each answered by one line on stdout: a JSON object, {"error":...} if
it failed. It ends when stdin does.

    {"do":"open","name":N,"to":ADDRESS,"database":B,"host":H,"netns":PATH}
                                          listens on a port of H (127.0.0.1), in that network
                                          namespace if there is a PATH: {"port":P}. ADDRESS: a port
                                          of loopback, or the path of a socket; B: PostgreSQL is
                                          spoken. On a name that exists: new connections go to the
                                          other address
    {"do":"drop","name":N}                nothing gets through and nobody is told, as when a cable
                                          is pulled: connections stay open and silent
    {"do":"pass","name":N}                it gets through again, with what was held back
    {"do":"cut","name":N}                 all connections are closed
    {"do":"commit","name":N,"how":HOW,"ms":M}
                                          the next batch of several statements (up to its Sync)
                                          that comes through this proxy: `answer`: it is delivered,
                                          and the connection cut instead of its answer; `lost`: cut
                                          before it is delivered; `late`: the client's side is cut,
                                          and the batch delivered M milliseconds later
    {"do":"hits","name":N}                {"hits":H}: how many batches were cut so far
    {"do":"count","name":N}               {"batches":B,"flushes":F}: the batches of several statements
                                          that came through, and the requests for an answer before
                                          the end of a batch: each costs a round trip
"""

import asyncio
import contextlib
import ctypes
import json
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SSL, GSS, CANCEL = 80877103, 80877104, 80877102


class Batches:
    """Divides what a PostgreSQL client sends at the end of each batch."""

    def __init__(self):
        self.buffer = b""
        self.started = False
        self.batch = b""
        self.statements = 0
        self.flushes = 0

    def take(self, data):
        """Yields (bytes, is the end of a batch) for what is complete; the rest stays."""
        self.buffer += data
        while True:
            size = self.message()
            if size is None:
                return
            message, self.buffer = self.buffer[:size], self.buffer[size:]
            self.batch += message
            if not self.started:
                self.started = struct.unpack("!I", message[4:8])[0] not in (SSL, GSS, CANCEL)
                yield self.part(), False
            elif message[:1] == b"E":
                self.statements += 1
            elif message[:1] == b"S":
                # A reader's batch has one statement; a writer's at least the fence and a change.
                is_batch, self.statements = self.statements > 1, 0
                yield self.part(), is_batch
            elif message[:1] in (b"H", b"X", b"p", b"Q"):
                self.flushes += message[:1] == b"H"
                # A flush asks for answers within the batch, which cannot wait for its end.
                yield self.part(), False

    def message(self):
        head = 1 if self.started else 0
        if len(self.buffer) < head + 4 or not self.started and len(self.buffer) < 8:
            return None
        size = head + struct.unpack("!I", self.buffer[head:head + 4])[0]
        return size if len(self.buffer) >= size else None

    def part(self):
        batch, self.batch = self.batch, b""
        return batch


class Link:
    """One proxy: a port, and the connections that came in through it."""

    def __init__(self, to, is_database):
        self.to = to
        self.is_database = is_database
        self.open = asyncio.Event()
        self.open.set()
        self.is_cut = asyncio.Event()
        self.writers = set()
        self.commit = None
        self.hits = self.batches = self.flushes = 0
        self.tasks = set()

    async def connected(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.writers.add(writer)
        other = None
        try:
            await self.open.wait()
            if isinstance(self.to, int):
                from_other, other = await asyncio.open_connection("127.0.0.1", self.to)
            else:
                from_other, other = await asyncio.open_unix_connection(self.to)
            self.writers.add(other)
            ends = [asyncio.ensure_future(self.forward(reader, writer, other)),
                    asyncio.ensure_future(self.back(from_other, writer))]
            done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            # The answer may follow the end of what the client had to say.
            if rest and ends[0] in done and not ends[0].exception():
                await asyncio.wait(rest, timeout=5)
            for end in rest:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, other):
                if end is not None:
                    self.writers.discard(end)
                    end.close()
            self.tasks.discard(task)

    async def back(self, reader, writer):
        while True:
            data = await reader.read(65536)
            await self.open.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()

    async def forward(self, reader, client, writer):
        batches = Batches()
        while True:
            data = await reader.read(65536)
            await self.open.wait()
            if not data:
                return
            parts = batches.take(data) if self.is_database else [(data, False)]
            for part, is_batch in parts:
                self.batches += is_batch
                if is_batch and self.commit:
                    await self.cut_batch(part, client, writer)
                    return
                writer.write(part)
            self.flushes += batches.flushes
            batches.flushes = 0
            # Whole messages go on at once, unless a batch is to be cut as a whole.
            if not self.commit and batches.batch:
                writer.write(batches.part())
            await writer.drain()

    async def cut_batch(self, batch, client, writer):
        how, ms = self.commit
        self.commit = None
        self.hits += 1
        client.transport.abort()
        if how == "lost":
            writer.transport.abort()
            return
        if how == "late":
            await self.closing(ms)
        writer.write(batch)
        await writer.drain()
        # The server finds the end of the connection behind the batch, and does it all the same.
        writer.write_eof()

    async def closing(self, ms):
        """That long, or until this proxy is cut."""
        try:
            await asyncio.wait_for(self.is_cut.wait(), ms / 1000)
        except asyncio.TimeoutError:
            pass

    def cut(self):
        self.is_cut.set()
        self.is_cut = asyncio.Event()
        for writer in list(self.writers):
            writer.transport.abort()


class Proxies:
    def __init__(self):
        self.links = {}
        self.servers = []

    async def do(self, words):
        name, do = words["name"], words["do"]
        if do == "open":
            if name in self.links:
                self.links[name].to = words["to"]
                return {}
            link = self.links[name] = Link(words["to"], words.get("database", False))
            listener = listen(words.get("host", "127.0.0.1"), words.get("netns", ""))
            self.servers.append(await asyncio.start_server(link.connected, sock=listener))
            return {"port": listener.getsockname()[1]}
        link = self.links[name]
        if do == "drop":
            link.open.clear()
        elif do == "pass":
            link.open.set()
        elif do == "cut":
            link.cut()
        elif do == "commit":
            link.commit = (words["how"], words.get("ms", 0))
        elif do == "hits":
            return {"hits": link.hits}
        elif do == "count":
            return {"batches": link.batches, "flushes": link.flushes}
        else:
            raise ValueError("no such command: " + do)
        return {}


def listen(host, netns):
    """A socket stays in the network namespace in which it was made."""
    with contextlib.ExitStack() as stack:
        if netns:
            here = stack.enter_context(open("/proc/self/ns/net", "rb"))
            enter(stack.enter_context(open(netns, "rb")))
            stack.callback(enter, here)
        return socket.create_server((host, 0))


def enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


async def serve():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    proxies = Proxies()
    while True:
        line = await reader.readline()
        if not line:
            return
        try:
            answer = await proxies.do(json.loads(line))
        except (KeyError, ValueError, OSError) as e:
            answer = {"error": "%s: %s" % (type(e).__name__, e)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
