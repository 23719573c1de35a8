# SPDX-License-Identifier: MIT
"""Serves fragments of HTML to the tests of the driver and of the rules, with the same content
security policy as lessord's page."""

import http.server
import threading

POLICY = ("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
          " connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
          " frame-ancestors 'none'")


class Site:
    """pages: path to the bytes or text that is served there."""

    def __init__(self, policy=POLICY):
        self.pages, self.asked = {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                body = site.pages.get(self.path)
                self.send_response(200 if body is not None else 404)
                body = body.encode("utf-8") if isinstance(body, str) else body or b""
                kind = "text/javascript" if self.path.endswith(".js") else "text/html"
                self.send_header("Content-Type", kind + "; charset=utf-8")
                self.send_header("Content-Security-Policy", policy)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, path, body):
        """Serves it, and returns its address."""
        self.pages[path] = body
        return self.origin + path

    def close(self):
        self.server.shutdown()
        self.server.server_close()
