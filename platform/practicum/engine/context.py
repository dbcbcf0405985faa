"""What a build is given: the repository's part as a tar, and what this machine offers while the build runs.

The offer goes over HTTP on the engine's own bridge, so that neither certificates nor a 200 MB wheel lie in a layer.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote

CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# What a checkout gathers and no image has, at whatever depth: compiled modules, settings, what git and editors keep. The same
# names as in .dockerignore, by which `docker build` leaves them out.
LEFT_OUT = (
    "__pycache__", "*.pyc", "*.egg-info", ".ipynb_checkpoints", ".env", ".env.*", ".git", ".venv*", "node_modules", "var",
)  # fmt: skip
# Fixed if it is free, for the address is part of the engine's own build cache.
USUAL_PORT = 48180

Offer = Mapping[str, Path]


def certificates() -> dict[str, Path]:
    """The CA bundle this machine's own Python tools are told to use, if any: the build needs it as much as they do."""
    for variable in CERTIFICATE_VARIABLES:
        if (named := os.environ.get(variable)) and Path(named).is_file():
            return {"ca.crt": Path(named)}
    return {}


def local_wheels() -> dict[str, Path]:
    """The wheels in the local folders of ``PIP_FIND_LINKS``, by file name."""
    folders = [Path(place.removeprefix("file://")) for place in os.environ.get("PIP_FIND_LINKS", "").split()]
    return {wheel.name: wheel for folder in folders if folder.is_dir() for wheel in sorted(folder.glob("*.whl"))}


def torch_wheel(lock: Path, *, python: str, wheels: Sequence[str]) -> str:
    """The name among ``wheels`` of the locked torch for CPUs and this Python (``3.11``); empty if there is none."""
    version = re.search(r"^torch==(\S+)", lock.read_text(), re.MULTILINE)
    assert version is not None
    tag, machine = f"cp{python.replace('.', '')}", os.uname().machine
    pattern = re.compile(rf"torch-{re.escape(version[1])}\+cpu-{tag}-{tag}-(many)?linux\w*_{machine}\.whl")
    return next((name for name in wheels if pattern.fullmatch(name)), "")


@contextmanager
def build_context(root: Path, *, inputs: Sequence[str]) -> Iterator[BinaryIO]:
    """A tar of ``inputs`` (files and folders below ``root``), without owners or times."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name in inputs:
                tar.add(root / name, arcname=name, filter=_plain)
        file.seek(0)
        yield cast(BinaryIO, file)


def is_left_out(path: Path) -> bool:
    """A path below the repository's top that no image has."""
    return any(fnmatchcase(part, pattern) for part in path.parts for pattern in LEFT_OUT)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if is_left_out(Path(member.name)):
        return None
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


@contextmanager
def offered(offer: Offer, *, address: str) -> Iterator[str]:
    """``offer`` can be fetched at the address yielded, ``http://host:port``; empty where ``address`` isn't ours."""
    handler = partial(_Handler, offer)
    try:
        server = _server(address, handler) if offer and address else None
    except OSError:
        server = None
    if server is None:
        yield ""
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _server(address: str, handler: Any) -> ThreadingHTTPServer:
    try:
        return ThreadingHTTPServer((address, USUAL_PORT), handler)
    except OSError:
        return ThreadingHTTPServer((address, 0), handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers with one of the files offered, or a page of links to them; nothing else of the machine."""

    def __init__(self, offer: Offer, *arguments: Any) -> None:
        self.offer = offer
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        """Installers ask for a wheel's size first."""
        self._respond(with_content=False)

    def do_GET(self) -> None:
        """One file, or the links."""
        self._respond(with_content=True)

    def _respond(self, *, with_content: bool) -> None:
        name = unquote(self.path).removeprefix("/")
        if not name:
            links = "".join(f'<a href="{quote(n)}">{html.escape(n)}</a>\n' for n in sorted(self.offer)).encode()
            self._answer("text/html", len(links))
            self.wfile.write(links if with_content else b"")
        elif name in self.offer:
            with self.offer[name].open("rb") as file:
                self._answer("application/octet-stream", self.offer[name].stat().st_size)
                if with_content:
                    shutil.copyfileobj(file, self.wfile, 1 << 20)
        else:
            self.send_error(404)

    def _answer(self, kind: str, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""
