# SPDX-License-Identifier: MIT
"""A scripted server that records its requests."""
import http.server
import json
import socketserver
import threading

DROP = object()     # close the connection without a response
HANG = object()     # never respond
PATIENCE = 60


class Request:
    def __init__(self, handler, body):
        self.method = handler.command
        self.path, _, self.query = handler.path.partition("?")
        self.headers = handler.headers
        self.raw = body
        self.body = json.loads(body) if body else None


class Answer:
    def __init__(self, status, doc=None, raw=None, headers=()):
        self.status = status
        self.raw = json.dumps(doc).encode() if raw is None else raw
        self.headers = headers


class Stream:
    """Server-sent events: `parts` as they are, then cut off; or silence, if it `hangs`."""

    def __init__(self, *parts, hangs=False):
        self.parts, self.hangs = parts, hangs


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def log_message(self, *args):
        pass

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self, self.rfile.read(length))
        server = self.server.owner
        if request.path == "/v1/classes" and not server.is_classes_scripted:
            answer = server.answer_classes(request)
        else:
            with server.came:
                server.requests.append(request)
                answer = server.script(request)
                server.came.notify_all()
        if answer is DROP:
            self.close_connection = True
            return
        if answer is HANG:
            server.released.wait(PATIENCE)
            self.close_connection = True
            return
        if isinstance(answer, Stream):
            self.stream(answer)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.raw)))
        self.end_headers()
        self.wfile.write(answer.raw)

    def stream(self, answer):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in answer.parts:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part.encode()), part.encode()))
        if answer.hangs:
            self.server.owner.released.wait(PATIENCE)
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = serve


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass

    def get_request(self):
        request, _ = super().get_request()
        return request, ("unix", 0)


class Server:
    """`script(request)` returns an Answer, a Stream, DROP or HANG; one at a time."""

    def __init__(self, script, path=None):
        self.script = script
        self.requests = []
        # GET /v1/classes, which every create asks first: the document, None (404) or HANG.
        self.classes = None
        self.asked_for_classes = []     # the queries
        self.is_classes_scripted = False    # the script answers that, too
        self.came = threading.Condition()
        self.released = threading.Event()
        self.inner = UnixServer(path, Handler) if path else TcpServer(("127.0.0.1", 0), Handler)
        self.inner.owner = self
        self.url = "unix:" + path if path else \
            "http://127.0.0.1:%d" % self.inner.server_address[1]
        threading.Thread(target=self.inner.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.released.set()
        self.inner.shutdown()
        self.inner.server_close()

    def answer_classes(self, request):
        self.asked_for_classes.append(request.query)
        if self.classes is None:
            return Answer(404, {"error": "not_found"})
        return self.classes if self.classes is HANG else Answer(200, self.classes)

    def matching(self, method, end):
        return [r for r in self.requests if r.method == method and r.path.endswith(end)]

    def seen(self, method, end=""):
        with self.came:
            return self.matching(method, end)

    def await_request(self, method, end=""):
        with self.came:
            if not self.came.wait_for(lambda: self.matching(method, end), PATIENCE):
                raise AssertionError("no %s ...%s in %d s" % (method, end, PATIENCE))
