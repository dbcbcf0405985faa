"""The stage of each attack, and the table at the end of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import report
from tests.attacks.report import Result
from tests.attacks.sinks import DNS_PORT, Sinks
from tests.attacks.trials import Attack, Trial, Watched, disk_with
from tests.attacks.weaknesses import Scene
from tests.engine import doubling

DISKS = ("a disk", "any disk")


@pytest.fixture
def result(record_property: Callable[[str, object], None]) -> Iterator[Callable[..., Result]]:
    """``result(group=..., ...)``: a line of the table, to be filled in; it is written whatever becomes of the test."""
    made: list[Result] = []

    def make(**facts: Any) -> Result:
        made.append(Result(**facts))
        return made[-1]

    yield make
    for line in made:
        record_property(report.PROPERTY, line.as_dict())


@pytest.fixture(scope="session")
def sinks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sinks]:
    """Ears on this machine's own addresses."""
    made = Sinks(tmp_path_factory.mktemp("run"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def targets(sinks: Sinks) -> dict[str, Any]:
    """What every attack is told of where to send to."""
    sinks.icmp()
    sinks.frames()
    sinks.engine()
    return {
        "host": sinks.host,
        "tcp": sinks.tcp(),
        "udp": sinks.udp(),
        "tcp6": sinks.tcp6(),
        "unix": sinks.unix(f"practicum-attacks-{os.getpid()}"),
    }


@pytest.fixture
def tried(
    version: Any, internship: Any, settings: Any, sinks: Sinks, targets: dict[str, Any], tmp_path: Path
) -> Iterator[Callable[..., Trial]]:
    """``tried(attack, is_control=...)``: the attack, handed in and evaluated; and whether it succeeded."""
    with ExitStack() as stack:

        def run(attack: Attack, *, is_control: bool) -> tuple[Trial, bool]:
            canary = doubling.publish(version, settings=settings, memory_gb=attack.memory_gb, seconds=attack.seconds)
            internship.version.refresh_from_db()
            scratch = tmp_path / ("control" if is_control else "real")
            scratch.mkdir()
            scene = Scene(version.folder / "project", version.hidden_folder, scratch, sinks, canary)
            trial = Trial(attack, scene, internship, is_control, targets)
            if set(attack.weak) & set(DISKS):
                scene.device = stack.enter_context(disk_with(trial.token.encode(), folder=scratch))
            if attack.weak == ("a network with names",) and is_control:
                sinks.udp(DNS_PORT)
            keeper = Watched(attack, scene=scene)
            with (
                doubling.left_clean(keeper, instance=settings.PRACTICUM_INSTANCE),
                pytest.MonkeyPatch.context() as patch,
            ):
                return trial, trial.run(patch)

        yield run


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the lines of the table, whichever process made them; of an attack that was tried again the last."""
    from tests.attacks import report as table

    if report.when == "teardown":
        made = [Result(**facts) for name, facts in report.user_properties if name == table.PROPERTY]
        again = {(line.group, line.name) for line in made}
        table.LINES[:] = [line for line in table.LINES if (line.group, line.name) not in again] + made


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table."""
    if report.LINES:
        terminalreporter.write_line("")
        for line in report.table(report.LINES):
            terminalreporter.write_line(line)
        report.write_json(report.LINES)
