"""Runs an intern's notebook from clean: ``notebook.py --submission DIR --notebook NAME --public DIR --inputs DIR --out DIR``.

The cells run in a folder of their own that shows the submission's files, top to bottom, with three variables:
``PRACTICUM_DATA`` (the public data), ``PRACTICUM_INPUTS`` (the hidden inputs) and ``PRACTICUM_OUT`` (where predictions go).
What a cell printed when it was handed in is forgotten first. A line that begins with ``%practicum`` does nothing here.
The notebook as it ended is left in ``out`` as ``executed.ipynb``; its cells can write there too, so it is evidence for a
person and no proof.

A start costs what Python's imports cost, so the kernel is no second Python: it is forked from this one once IPython is
loaded, and before anything that a fork would break (threads, an event loop, a ZeroMQ context) is there.

Exit codes: 0 done; 4 it ended early, and the last line on stderr says at which cell and why. A cell can end the process
with any code or none, so what counts is only what the scorer makes of ``out``.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENDED_EARLY = 4
EXECUTED = "executed.ipynb"
MOST_CELLS = 500
CELL_BYTES = 1_000_000
ALL_BYTES = 8_000_000
SAID = 300
# What jsonschema loads, where it is there, to check addresses and colours: longer than all else together.
NOT_NEEDED = ("rfc3987_syntax", "rfc3986_validator", "webcolors", "isoduration", "uri_template")
POLL_SECONDS = 0.01
ANSWER_SECONDS = 10.0
PUBLISHED_SECONDS = 0.2
LEFT_OUT = "pass  # left out here: {}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("submission", "public", "inputs", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--notebook", required=True)
    options = parser.parse_args(argv)
    folders = {name: getattr(options, name).resolve() for name in ("submission", "public", "inputs", "out")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        place = Path(scratch)
        prepare_environment(place, public=folders["public"], inputs=folders["inputs"], out=folders["out"])
        work = place / "work"
        work.mkdir()
        for entry in sorted(folders["submission"].iterdir()):
            (work / entry.name).symlink_to(entry)
        kernel = Kernel(work)
        return run(folders["submission"] / options.notebook, kernel=kernel, keep=folders["out"] / EXECUTED)


def prepare_environment(place: Path, *, public: Path, inputs: Path, out: Path) -> None:
    """Set what the kernel inherits; everything Jupyter writes goes below ``place``."""
    home = place / "home"
    home.mkdir()
    os.environ |= {
        "PRACTICUM_DATA": str(public),
        "PRACTICUM_INPUTS": str(inputs),
        "PRACTICUM_OUT": str(out),
        **dict.fromkeys(("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"), str(home)),
    }


class Kernel:
    """A Python kernel in a process forked from this one; to jupyter_client it is what ``subprocess.Popen`` returns.

    It waits for the name of its connection file, and becomes the kernel of that in ``work``.
    """

    stdin = stdout = stderr = None

    def __init__(self, work: Path) -> None:
        import ipykernel.ipkernel
        import ipykernel.kernelapp  # noqa: F401

        told, self._tell = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            os.close(self._tell)
            serve(told, work=work)
        os.close(told)

    def begin(self, connection: str) -> Kernel:
        """Be the kernel of this connection file."""
        with os.fdopen(self._tell, "w") as pipe:
            pipe.write(connection)
        return self

    def poll(self) -> int | None:
        """How it ended, as Popen tells it; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def serve(told: int, *, work: Path) -> None:
    """In the forked process: be a kernel until it is shut down. What the process itself prints goes nowhere."""
    code = 1
    try:
        with os.fdopen(told) as pipe:
            connection = pipe.read()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.setsid()
        os.chdir(work)
        # What another Python would have found: the notebook's folder before the packages.
        packages = [place for place, path in enumerate(sys.path) if path.endswith("-packages")]
        sys.path.insert(packages[0] if packages else len(sys.path), "")
        if connection:
            become(connection)
        code = 0
    except SystemExit as end_of_it:
        code = end_of_it.code if isinstance(end_of_it.code, int) else 0
    finally:
        try:
            atexit._run_exitfuncs()
            sys.stdout.flush()
        finally:
            os._exit(code)


def become(connection: str) -> None:
    """Be a kernel, until it is shut down."""
    import ipykernel_launcher
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [ipykernel_launcher.__file__, "-f", connection]
    IPKernelApp.launch_instance(sys.argv[1:])


def manager_of(kernel: Kernel) -> Any:
    """A class of kernel managers that begin ``kernel``, and wait for nothing longer than it takes."""
    from queue import Empty

    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner
    from traitlets import Type

    class Provisioner(LocalProvisioner):  # type: ignore[misc, unused-ignore]
        """Begins the kernel that is there already."""

        async def launch_kernel(self, *_: Any, **__: Any) -> Any:
            self.process = kernel.begin(self.parent.connection_file)
            self.pid = self.pgid = kernel.pid
            return self.connection_info

    class Connected(AsyncKernelClient):  # type: ignore[misc, unused-ignore]
        """Is ready as soon as the kernel answers and what it publishes arrives."""

        async def wait_for_ready(self, **_: Any) -> None:
            while kernel.poll() is None:
                asked = self.kernel_info()
                try:
                    await self.shell_channel.get_msg(timeout=ANSWER_SECONDS)
                    while not is_idle(await self.iopub_channel.get_msg(timeout=PUBLISHED_SECONDS), after=asked):
                        pass
                except Empty:
                    continue
                return
            raise RuntimeError("The kernel ended before it answered.")

    class Manager(AsyncKernelManager):  # type: ignore[misc, unused-ignore]
        """Looks a hundred times a second whether the kernel has ended."""

        client_factory = Type(klass=AsyncKernelClient, default_value=Connected)

        async def _async_pre_start_kernel(self, **more: Any) -> Any:
            self.kernel_id = uuid.uuid4().hex
            self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
            return await super()._async_pre_start_kernel(**more)

        async def _async_wait(self, *_: Any, **__: Any) -> None:
            await super()._async_wait(POLL_SECONDS)

    return Manager


def is_idle(message: Any, *, after: str) -> bool:
    """Whether it says that the kernel has done what ``after`` asked."""
    is_status = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
    return is_status and message["parent_header"].get("msg_id") == after


def run(file: Path, *, kernel: Kernel, keep: Path) -> int:
    """Run the notebook; leave it in ``keep`` as it ended, also where it ended early."""
    sys.modules |= dict.fromkeys(NOT_NEEDED)  # type: ignore[arg-type]
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(file, as_version=4)
    clean(notebook)
    if len(notebook.cells) > MOST_CELLS:
        return end(f"The notebook has {len(notebook.cells)} cells; at most {MOST_CELLS} are run.")

    class Client(NotebookClient):  # type: ignore[misc, unused-ignore]
        """Counts what the cells put out, and ends where it is too much."""

        counted: dict[int, int] = {}
        at = 0

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] in ("stream", "display_data", "execute_result", "error", "update_display_data"):
                self.counted[cell_index] = self.counted.get(cell_index, 0) + size_of(msg["content"])
                too_much = excess(self.counted, at=cell_index)
                if too_much:
                    write(notebook, keep)
                    end(too_much)
                    os._exit(ENDED_EARLY)  # the cell may never end by itself
            return super().process_message(msg, cell, cell_index)

        async def async_execute_cell(self, cell: Any, cell_index: int, **more: Any) -> Any:
            self.at = cell_index + 1
            return await super().async_execute_cell(cell, cell_index, **more)

    client = Client(notebook, timeout=None, kernel_name="python3", kernel_manager_class=manager_of(kernel))
    try:
        client.execute()
    except CellExecutionError as failure:
        return end(f"Cell {client.at} raised {failure.ename}: {failure.evalue}")
    except DeadKernelError:
        return end(f"Cell {client.at} ended the notebook's process.")
    finally:
        write(notebook, keep)
    return 0


def clean(notebook: Any) -> None:
    """Forget outputs and counts; take the sting out of lines that would hand in again."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            lines = cell.source.split("\n")
            cell.source = "\n".join(
                LEFT_OUT.format(line.strip()) if line.startswith("%practicum") else line for line in lines
            )


def size_of(content: Any) -> int:
    """How much a message adds to the notebook."""
    return len(json.dumps(content, default=str))


def excess(counted: dict[int, int], *, at: int) -> str:
    """Why the outputs so far are too much, or nothing."""
    if counted[at] > CELL_BYTES:
        return f"Cell {at + 1} put out more than {CELL_BYTES // 1_000_000} MB. Print less."
    if sum(counted.values()) > ALL_BYTES:
        return f"The notebook's outputs were more than {ALL_BYTES // 1_000_000} MB at cell {at + 1}. Print less."
    return ""


def write(notebook: Any, file: Path) -> None:
    """Leave the notebook; a full volume is no reason to end otherwise."""
    try:
        file.unlink(missing_ok=True)
        file.write_text(json.dumps(notebook, ensure_ascii=True), encoding="utf-8")
    except OSError as failure:
        print(f"The executed notebook could not be kept: {failure}", file=sys.stderr)


def end(reason: str) -> int:
    """Say it as the last line."""
    line = " ".join(reason.split())
    print(line if len(line) <= SAID else line[: SAID - 1] + "…", file=sys.stderr, flush=True)
    return ENDED_EARLY


if __name__ == "__main__":
    sys.exit(main())
