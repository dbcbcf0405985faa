"""Jupyter Server extension: hands in for the panel's button, answers it, reports activity to the site, keeps the door.

The browser never has the session's token: it asks this server, which asks the site. When the site is away, the
handlers say so and the reporter tries again at its next turn. A mentor who is let in sees the panel and works in the
notebooks; handing in, moving and the end of help stay the person's.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_client.session import Session
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.ioloop import PeriodicCallback

from practicum_hub.workspace import errors
from practicum_hub.workspace.activity import ProcessorMeter, session_processes
from practicum_hub.workspace.answers import Activity, ActivityAnswer
from practicum_hub.workspace.client import Environment, SiteClient
from practicum_hub.workspace.commits import last_commit_at
from practicum_hub.workspace.door import SHUT, Door
from practicum_hub.workspace.handin import HandIn, hand_in
from practicum_hub.workspace.helping import FOLLOW_SECONDS, HelpFollower

REPORT_SECONDS = 15.0
WATCH_SECONDS = 1.0


class KernelWatch:
    """When code last ran in any kernel, from the kernels' own messages. Completions and inspections do not count."""

    def __init__(self, app: ServerApp) -> None:
        self.app = app
        self.last_execution_at: datetime | None = None
        self._streams: dict[str, Any] = {}

    def refresh(self) -> None:
        """Listen to kernels that are new, let go of those that ended."""
        running = set(self._started())
        for gone in self._streams.keys() - running:
            self._streams.pop(gone).close()
        for new in running - self._streams.keys():
            self._streams[new] = self._listen(new)

    def counts(self) -> tuple[int, int]:
        """How many kernels are busy, and how many there are."""
        kernels = self._started().values()
        return sum(kernel.execution_state == "busy" for kernel in kernels), len(kernels)

    def _started(self) -> dict[str, Any]:
        """Kernels by id. One that is still starting has no connection and no state yet, and is left out."""
        manager = self.app.kernel_manager
        kernels = {each: manager.get_kernel(each) for each in manager.list_kernel_ids()}
        return {each: kernel for each, kernel in kernels.items() if hasattr(kernel, "execution_state")}

    def _listen(self, kernel_id: str) -> Any:
        kernel = self.app.kernel_manager.get_kernel(kernel_id)
        session = Session(config=kernel.session.config, key=kernel.session.key)
        stream = kernel.connect_iopub()

        def on_message(parts: list[bytes]) -> None:
            _, frames = session.feed_identities(parts)
            message = session.deserialize(frames, content=False)
            if message.get("parent_header", {}).get("msg_type") == "execute_request":
                self.last_execution_at = datetime.now(UTC)

        stream.on_recv(on_message)
        return stream


class ActivityReporter:
    """Tells the site what this server does; keeps the last answer for the panel."""

    def __init__(self, app: ServerApp, *, client: SiteClient, watch: KernelWatch) -> None:
        self.app, self.client, self.watch = app, client, watch
        self.answer: ActivityAnswer | None = None
        self._meter = ProcessorMeter()
        self._is_away = False

    def knows_of_help(self) -> bool:
        """The site's last answer says that help was asked for."""
        return self.answer is not None and self.answer.is_help_open

    async def report(self) -> None:
        """Send one report. Never raises: the server goes on whatever the site does."""
        try:
            processes = await asyncio.to_thread(session_processes, self.client.environment.token)
            committed_at = await asyncio.to_thread(last_commit_at, self.client.environment.project_dir)
            activity = self._activity(processes, committed_at=committed_at)
            self.answer = await asyncio.to_thread(self.client.activity, activity)
            self._is_away = False
        except errors.WorkspaceError as failure:
            if not self._is_away:
                self.app.log.warning("Practicum: activity not reported: %s", failure)
            self._is_away = True
        except Exception:
            self.app.log.exception("Practicum: activity could not be measured")

    def _activity(self, processes: Any, *, committed_at: datetime | None) -> Activity:
        busy, kernels = self.watch.counts()
        terminals = self.app.web_app.settings.get("terminal_manager")
        return Activity(
            busy_kernels=busy,
            kernels=kernels,
            last_execution_at=self.watch.last_execution_at,
            cpu_seconds=self._meter.used_since_last(processes),
            terminals=len(terminals.list()) if terminals else 0,
            committed_at=committed_at,
        )


class PracticumHandler(APIHandler):  # type: ignore[misc]
    """Base: the client, and every refusal as JSON with its status."""

    auth_resource = "practicum"

    def initialize(self, client: SiteClient, reporter: ActivityReporter, helping: HelpFollower, root: Path) -> None:
        """Given by the extension at start."""
        self.client, self.reporter, self.helping, self.root = client, reporter, helping, root

    @property
    def is_guest(self) -> bool:
        """Who asks is not this notebook's person."""
        return self.helping.door.is_guest(self.current_user)

    def owner_only(self) -> None:
        """Raises: HTTPError 403 for a guest."""
        if self.is_guest:
            raise web.HTTPError(403, SHUT)

    def refuse(self, failure: errors.WorkspaceError) -> None:
        """Answer with the sentence of a refusal."""
        self.set_status(failure.status)
        self.finish(json.dumps(failure.as_json()))


class StatusHandler(PracticumHandler):
    """What the panel shows: the site's status with this server's last warning."""

    # The panel asks by itself every few seconds; that is no sign of a person.
    _track_activity = False

    @web.authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """200 with the status, or the reason why there is none."""
        self.set_header("Cache-Control", "no-store")
        try:
            status = await asyncio.to_thread(self.client.raw_status)
            helping = await self.helping.refresh()
        except errors.WorkspaceError as failure:
            self.refuse(failure)
            return
        answer = self.reporter.answer
        stop_at = answer.stop_at.isoformat() if answer and answer.stop_at else None
        warning = answer.warning if answer else ""
        site = {"site_url": self.client.environment.site_url}
        help = helping.as_json() | {"is_guest": self.is_guest}
        self.finish(json.dumps({**status, **site, "warning": warning, "stop_at": stop_at, "help": help}))


class MoveHandler(PracticumHandler):
    """Moves this notebook to the GPU that is kept for its person; the panel has saved what is open."""

    @web.authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """200 with the page on which to wait, or the reason why there is no GPU."""
        self.owner_only()
        try:
            url = await asyncio.to_thread(self.client.move)
        except errors.WorkspaceError as failure:
            self.refuse(failure)
            return
        self.finish(json.dumps({"url": url}))


class EndHelpHandler(PracticumHandler):
    """Ends the help that goes on here, and shows out who is in."""

    @web.authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """200 with what is so now, or the reason why it is not known."""
        self.owner_only()
        try:
            helping = await self.helping.end()
        except errors.WorkspaceError as failure:
            self.refuse(failure)
            return
        self.finish(json.dumps(helping.as_json()))


class SubmitHandler(PracticumHandler):
    """Hands in the project's submission folder with the notebook that the person has open."""

    @web.authenticated
    @authorized  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """201 with the submission, or the reason why there is none."""
        self.owner_only()
        notebook = (self.get_json_body() or {}).get("notebook")
        try:
            path = self._notebook(notebook) if notebook else None
            handed = await asyncio.to_thread(hand_in, self.client, source="button", notebook=path)
        except errors.WorkspaceError as failure:
            self.refuse(failure)
            return
        self.set_status(201)
        self.finish(json.dumps(_handed_in(handed)))

    def _notebook(self, name: object) -> Path:
        """The file behind a path that JupyterLab uses; it lies under the server's root.

        Raises: NothingHere for anything else.
        """
        path = (self.root / str(name).split(":", 1)[-1].lstrip("/")).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise errors.NothingHere(f"{name} is not a file of this notebook server.")
        return path


def _handed_in(handed: HandIn) -> dict[str, Any]:
    package = handed.package
    return handed.submission.as_json() | {"summary": package.summary(), "notes": list(package.notes)}


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "practicum_hub.workspace.server_extension"}]


def _load_jupyter_server_extension(app: ServerApp) -> None:
    """Shut the door, add the handlers and start reporting; outside a Practicum session only shut it and say so."""
    door = Door(os.environ.get("JUPYTERHUB_USER", ""))
    door.guard(app.identity_provider)
    try:
        client = SiteClient(Environment.read(os.environ))
    except errors.NotAWorkspace as failure:
        app.log.warning("Practicum: %s", failure)
        return
    watch = KernelWatch(app)
    reporter = ActivityReporter(app, client=client, watch=watch)
    helping = HelpFollower(app, client=client, door=door, is_asked_for=reporter.knows_of_help)
    arguments = {"client": client, "reporter": reporter, "helping": helping, "root": Path(app.root_dir)}
    base = app.web_app.settings["base_url"]
    app.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "practicum", "status"), StatusHandler, arguments),
            (url_path_join(base, "practicum", "submit"), SubmitHandler, arguments),
            (url_path_join(base, "practicum", "move"), MoveHandler, arguments),
            (url_path_join(base, "practicum", "help", "end"), EndHelpHandler, arguments),
        ],
    )
    seconds = float(os.environ.get("PRACTICUM_ACTIVITY_SECONDS", REPORT_SECONDS))
    PeriodicCallback(helping.follow, FOLLOW_SECONDS * 1000).start()
    PeriodicCallback(watch.refresh, WATCH_SECONDS * 1000).start()
    PeriodicCallback(reporter.report, seconds * 1000, jitter=0.1).start()
