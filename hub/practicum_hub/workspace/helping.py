"""Follows the help that the intern asked for: tells the door who may come in, and the site what was saved.

While help is open the site is asked every two seconds; else its answer to the report of activity says that some was asked
for. Notebooks go to the site only while the mentor reads, and only when they were saved anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp

from practicum_hub.workspace import errors
from practicum_hub.workspace.answers import Help
from practicum_hub.workspace.client import SiteClient
from practicum_hub.workspace.door import Door

FOLLOW_SECONDS = 2.0
MOST_BYTES = 10 * 1024 * 1024
MOST_NOTEBOOKS = 4
READ_IN = ("reading", "hands_asked", "hands")


class HelpFollower:
    """Keeps the site's last word on help. ``is_asked_for``: the site said by another way that there is some."""

    def __init__(self, app: ServerApp, *, client: SiteClient, door: Door, is_asked_for: Callable[[], bool]) -> None:
        self.app, self.client, self.door = app, client, door
        self._is_asked_for = is_asked_for
        # What the site has of which request; one that follows at once begins with nothing.
        self._sent: dict[str, tuple[int, int]] = {}
        self._sent_to = ""
        self._asking = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Help was asked for and has not ended, by the site's last word."""
        return self.door.help is not None and self.door.help.state != "none"

    async def follow(self) -> None:
        """Called again and again: ask where there is something to follow. Never raises."""
        self.door.show_out()
        if not (self.is_open or self._is_asked_for()) or self._asking.locked():
            return
        try:
            await self.refresh()
        except errors.WorkspaceError as failure:
            self.app.log.warning("Practicum: help not followed: %s", failure)
        except Exception:
            self.app.log.exception("Practicum: help not followed")

    async def refresh(self) -> Help:
        """Ask the site now.

        Raises: WorkspaceError when it gives no answer.
        """
        async with self._asking:
            told = await asyncio.to_thread(self.client.help)
            self.door.tell(told)
            if told.helper_url != self._sent_to:
                self._sent, self._sent_to = {}, told.helper_url
            if told.state in READ_IN:
                await self._send_saved()
        return told

    async def end(self) -> Help:
        """It is over; whoever is in is out when this returns.

        Raises: WorkspaceError when the site gives no answer.
        """
        told = await asyncio.to_thread(self.client.end_help)
        self.door.tell(told)
        return told

    async def _send_saved(self) -> None:
        for path in await self._paths():
            mark = _mark(self._file(path))
            if mark is None or self._sent.get(path) == mark:
                continue
            try:
                await asyncio.to_thread(self.client.send_notebook, path, self._file(path).read_bytes())
            except (errors.SiteRefused, OSError) as failure:
                self.app.log.warning("Practicum: %s is not shown: %s", path, failure)
            self._sent[path] = mark

    async def _paths(self) -> list[str]:
        """The notebooks that are open with a kernel, or else the one of the project that was saved last; the last come last."""
        sessions: list[dict[str, Any]] = await self.app.session_manager.list_sessions()
        paths = {each["path"] for each in sessions if each["type"] == "notebook" and _mark(self._file(each["path"]))}
        if not paths:
            root, folder = Path(self.app.root_dir), self.client.environment.project_dir
            paths = {str(path.relative_to(root)) for path in folder.glob("*.ipynb") if path.is_relative_to(root)}
            return sorted(paths, key=self._saved_at)[-1:]
        return sorted(paths, key=self._saved_at)[-MOST_NOTEBOOKS:]

    def _file(self, path: str) -> Path:
        return Path(self.app.root_dir) / path

    def _saved_at(self, path: str) -> int:
        mark = _mark(self._file(path))
        return mark[0] if mark else 0


def _mark(file: Path) -> tuple[int, int] | None:
    """When it was saved, and its size; None where it is no file or too large to be shown."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if file.is_file() and status.st_size <= MOST_BYTES else None
