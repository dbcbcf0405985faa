"""The check's programs in containers: on a site, a mentor's code runs where an intern's does, never beside the site.

A :class:`~practicum.catalog.programs.Runner` over the engine. The work folder is mounted at ``/check``, and paths below it
in a command become paths there; the image's own copy of a program stands in for this checkout's. No network, no secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from practicum.catalog.programs import IMAGES, Completed
from practicum.engine import LABEL_INSTANCE, LABEL_KIND, ContainerSpec, Engine, Inside, Limits, Mount, Program
from practicum.engine.base import Word

INSIDE = "/check"
INTERPRETER = Path("/opt/venv/bin/python")
MEMORY_BYTES = 8 * 1024**3
CPUS = 2.0


class EngineRunner:
    """Starts each process as a container; ``work`` is the folder that all of them share."""

    def __init__(self, engine: Engine, *, work: Path) -> None:
        self.engine = engine
        self.work = work

    def __call__(
        self, command: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, limit_seconds: float
    ) -> Completed:
        """Run ``command`` to its end, or to ``limit_seconds``. What the processor spent is not known: it is the time.

        Raises:
            EngineError: the engine failed us.
        """
        del cwd, environment  # no program of ours looks at it; the image has its own
        _open_up(self.work)
        words = [self._word(word) for word in command]
        is_scorer = any(isinstance(word, Program) and word.image == "scorer" for word in words)
        container = self.engine.start(
            ContainerSpec(
                image=settings.PRACTICUM_SCORER_IMAGE if is_scorer else settings.PRACTICUM_WORKSPACE_IMAGE,
                command=words,
                labels={LABEL_INSTANCE: settings.PRACTICUM_INSTANCE, LABEL_KIND: "prepare"},
                mounts=[Mount(self.work, INSIDE, read_only=False)],
                environment={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": str(int(CPUS))},
                limits=Limits(memory_bytes=MEMORY_BYTES, cpus=CPUS, wall_seconds=limit_seconds),
                stdin=stdin,
            )
        )
        try:
            ended = self.engine.wait(container, wall_seconds=limit_seconds)
            out, err = (self.engine.log(container, stream=stream) for stream in ("stdout", "stderr"))
        finally:
            self.engine.remove(container)
        code = None if ended.timed_out else ended.exit_code
        return Completed(code, out, err.replace(f"{INSIDE}/", ""), ended.seconds, ended.seconds)

    def _word(self, word: str) -> Word:
        """A word of the command, with the paths of our programs and of the work folder as they are inside."""
        path = Path(word)
        if path.is_absolute() and path.is_relative_to(IMAGES):
            image, _, name = path.relative_to(IMAGES).parts
            return Program(image, name)
        if path.is_absolute() and path.is_relative_to(self.work):
            return Inside(INSIDE, path.relative_to(self.work).as_posix())
        return word


def _open_up(folder: Path) -> None:
    """Let the containers' user read what this process made, and write beside it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            with suppress(PermissionError, FileNotFoundError):  # made by that user, or gone with its container
                path.chmod(0o777 if path.is_dir() else path.stat().st_mode | 0o444)
