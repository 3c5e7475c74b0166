"""A web server for `pages`: ``server.py ADDRESS PORT``."""

import http.server
import json
import socketserver
import sys

import pages

ROUTES = {"/": pages.index, "/health": pages.health}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with the JSON that a page returns, and 500 when a page raises."""

    def do_GET(self):
        """Answer one request."""
        page = ROUTES.get(self.path)
        if page is None:
            self.answer(404, {"error": "no such page"})
            return
        try:
            body = page()
        except Exception as error:
            self.log_error("%s: %r", self.path, error)
            self.answer(500, {"error": f"{type(error).__name__}: {error}"})
        else:
            self.answer(200, body)

    def answer(self, status, body):
        """Send `body` as JSON."""
        data = json.dumps(body, sort_keys=True).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One thread a request; a restart need not wait for old connections."""

    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self):
        """Bind without asking DNS for the host's full name, which HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
