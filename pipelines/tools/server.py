"""A small HTTP server that a node of http.yml runs for the length of the run."""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Shop(BaseHTTPRequestHandler):
    """Knows what is in stock, and takes orders."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/stock":
            query = parse_qs(asked.query)
            self.answer(200, {"item": query["item"][0], "sizes": [int(s) for s in query["sizes"]], "left": 7})
        else:
            self.answer(404, {"error": f"there is no {asked.path}"})

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(201, {"ordered": order, "once": "Idempotency-Key" in self.headers})

    def answer(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are answered in threads of the server, which no node's output could tell apart."""


def serve(folder: str) -> str:
    """Serve on a free port, which is written to `port` in the folder, until there is a file `stop`."""
    place = Path(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            written = place / "port.new"
            written.write_text(str(server.server_address[1]))
            os.replace(written, place / "port")
            while not (place / "stop").exists():
                time.sleep(0.05)
        finally:
            server.shutdown()
            thread.join()
    return "closed"
