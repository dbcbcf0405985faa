"""What the connection to the Docker Engine does when the engine dies is told in our own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from practicum.engine.docker import DockerEngine
from practicum.errors import EngineUnavailable


class Dying:
    """The client of an engine that dies in the middle of every answer."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise self.fault


@pytest.mark.parametrize(
    "fault",
    [
        requests.exceptions.ChunkedEncodingError("Response ended prematurely"),
        requests.exceptions.ConnectionError("Connection aborted."),
    ],
    ids=["in the middle of an answer", "before it"],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.wait("c", wall_seconds=1),
        lambda engine: engine.log("c"),
        lambda engine: engine.list({}),
        lambda engine: engine.remove("c"),
    ],
    ids=["wait", "log", "list", "remove"],
)
def test_an_engine_that_dies_while_it_is_asked_is_away(call: Callable[[DockerEngine], Any], fault: Exception) -> None:
    engine = DockerEngine()
    engine._connected = Dying(fault)

    with pytest.raises(EngineUnavailable):
        call(engine)
