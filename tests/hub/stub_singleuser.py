#!/usr/bin/env python3
"""Stands in for a workspace's interpreter: whatever it is told to run, it answers like a notebook server.

``PRACTICUM_STUB=exit`` ends at once; ``PRACTICUM_STUB=deaf`` never listens. A child that outlives it is left behind.
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"args": sys.argv[1:], "cwd": str(Path.cwd()), "environment": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


mode = os.environ.get("PRACTICUM_STUB", "")
if mode == "exit":
    sys.exit(9)
if mode == "deaf":
    time.sleep(600)
subprocess.Popen(["sleep", "600"], start_new_session=True)
service = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
try:
    HTTPServer((service.hostname or "127.0.0.1", service.port or 0), Handler).serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
