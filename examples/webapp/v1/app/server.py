"""A web server for `pages`: ``server.py ADDRESS PORT``. SIGTERM ends it when the requests it has are answered."""

import http.server
import json
import signal
import socketserver
import sys
import threading

import pages

ROUTES = {"/": pages.index, "/health": pages.health}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with the JSON that a page returns, and 500 when a page raises."""

    timeout = 5  # a client that connects and says nothing does not hold up the end

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
    """One thread a request, each finished before the server ends; a restart need not wait for old connections."""

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 128

    def server_bind(self):
        """Bind without asking DNS for the host's full name, which HTTPServer does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


if __name__ == "__main__":
    with Server((sys.argv[1], int(sys.argv[2])), Handler) as server:
        # shutdown() waits for the loop below, so another thread has to ask for it.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.05)
