"""What the connection to the Docker Engine does when the engine dies is told in our own words."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from docker.errors import NotFound

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


def test_a_container_that_an_engine_lists_as_dead_and_does_not_know_is_gone() -> None:
    known = {"Id": "known", "State": "dead", "Labels": {}, "Created": 0}

    class Api:
        def containers(self, **_: Any) -> list[dict[str, Any]]:
            return [known, known | {"Id": "ghost"}, known | {"Id": "runs", "State": "running"}]

        def inspect_container(self, container_id: str) -> None:
            assert container_id != "runs", "only of the dead it is asked once more"
            if container_id == "ghost":
                raise NotFound("No such container: ghost")

    engine = DockerEngine()
    engine._connected = SimpleNamespace(api=Api())  # type: ignore[assignment]
    assert [(container.id, container.running) for container in engine.list({})] == [("known", False), ("runs", True)]
