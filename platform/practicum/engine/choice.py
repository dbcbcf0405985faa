"""Which adapter answers, by the name of the setting."""

from __future__ import annotations

from pathlib import Path

from practicum.engine.base import Engine


def get_engine(name: str, *, python: str = "", state_dir: Path | None = None, servers: Path | None = None) -> Engine:
    """The adapter called ``docker`` or ``local``.

    ``python`` (the interns' interpreter) and ``state_dir`` are the local adapter's; ``servers``: the folder of other servers'
    engines (:mod:`.nodes`), of Docker's.

    Raises:
        ValueError: there is no adapter of that name.
    """
    if name == "docker":
        from practicum.engine.docker import DockerEngine
        from practicum.engine.nodes import Nodes

        return DockerEngine(nodes=Nodes(servers) if servers else None)
    if name == "local" and state_dir is not None:
        from practicum.engine.local import LocalEngine

        return LocalEngine(python=python, state_dir=state_dir)
    raise ValueError(f"There is no container engine called {name!r} here.")
