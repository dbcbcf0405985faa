"""kill -9 of each part at each moment of an evaluation: one right result, nothing left over, nothing lost.

One round for each part that is killed: seven interns hand in at once, each of their runs is stopped at its own moment
(:mod:`tests.e2e.stopping_worker`), then the part dies, and everything goes on. Each of the 35 cells is a test of its own.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.crash_system import GPUS, PEOPLE, CrashSystem, crash_system
from tests.e2e.own_engine import OwnEngine
from tests.tools.waiting import wait_for

pytestmark = pytest.mark.e2e

MOMENTS = ("after-claim", "after-create", "after-start", "mid-run", "after-exit", "before-commit", "after-commit")
VICTIMS = ("worker", "web", "hub", "engine", "database")
# Of the death of any other part the run notices nothing.
TRIED_AGAIN = {"worker": MOMENTS[:-1], "engine": MOMENTS[:-2]}
AGAIN = "Something on our side failed; it is tried again by itself"
VALUE = 0.9
SETTLE_SECONDS = 150
PREDICT = """
import json, time

def predict(artifact, inputs, out):
    numbers = json.loads((inputs / "x.json").read_text())
    print("working", flush=True)
    while (inputs / "NAME").exists():
        time.sleep(0.02)
    (out / "predictions.json").write_text(json.dumps([2 * n if n else 7 for n in numbers]))
"""
BOTH = ("first-of-two", "second-of-two")
LATE = {False: "fenced-comes-late", True: "broken-comes-late"}


def wait(claim: Callable[[], bool], *, what: str) -> None:
    """It comes about; while parts are dead, that nobody answers is no answer."""
    away = (httpx.TransportError, psycopg.OperationalError, subprocess.CalledProcessError)
    wait_for(claim, what=what, seconds=SETTLE_SECONDS, not_yet=away, every=0.1)


def work(name: str) -> bytes:
    """A submission that goes on once the file ``name`` is not among the inputs."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("predict.py", PREDICT.replace("NAME", name))
    return stream.getvalue()


@dataclass
class Rounds:
    """The rounds that were played; each is played once."""

    system: CrashSystem
    begun: set[str] = field(default_factory=set)
    played: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, victim: str) -> dict[str, int]:
        """The submissions of the round in which ``victim`` died, by moment."""
        if victim not in self.begun:
            self.begun.add(victim)
            self.played[victim] = self.play(victim)
        assert victim in self.played, f"the round of {victim} came to no end"
        return self.played[victim]

    def play(self, victim: str) -> dict[str, int]:
        """Seven runs reach their moments, ``victim`` dies, comes back, and the runs go on to their ends."""
        system = self.system
        for moment in MOMENTS:
            self.hand_in_held(f"{victim}-{moment}", moment=moment)
        submissions = {moment: submission_of(system, f"{victim}-{moment}") for moment in MOMENTS}
        for moment, submission in submissions.items():
            self.wait_until_reached(f"{victim}-{moment}", submission=submission, moment=moment)
        system.kill(victim)
        if victim in ("web", "hub"):
            system.start_again(victim)
            self.check_pages_while_held(victim, submissions)
        for moment in MOMENTS:
            self.let_go(f"{victim}-{moment}")
        if victim == "worker":
            system.a_minute_passes()
        if victim not in ("web", "hub"):
            system.start_again(victim)
        wait(lambda: all(has_ended(system, one) for one in submissions.values()), what="all runs have ended")
        if victim == "engine":
            system.a_minute_passes()
        wait(lambda: system.left_on_engine() == [], what="the engine has nothing of the runs")
        wait(lambda: open_leases(system) == [], what="every GPU is given back")
        return submissions

    def hand_in_held(self, name: str, *, moment: str) -> None:
        """The intern ``name`` hands in what will stop at ``moment``."""
        (self.system.inputs / name if moment == "mid-run" else self.system.hold / name).touch()
        answer = self.system.hand_in(name, work(name))
        assert (answer.status_code, "/upload/" in str(answer.url)) == (200, False), answer.text

    def wait_until_reached(self, name: str, *, submission: int, moment: str) -> None:
        """The run stands at its moment: its worker waits there, or waits for code that runs."""
        log = "SELECT log_tail FROM evaluation_run WHERE submission_id = %s"
        if moment == "mid-run":
            wait(lambda: self.system.rows(log, submission) == [("working",)], what=f"{name} runs")
        else:
            wait((self.system.hold / f"{name}.reached").exists, what=f"{name} is reached")

    def let_go(self, name: str) -> None:
        """The run goes on, if there is anybody to go on with it."""
        for folder in (self.system.hold, self.system.inputs):
            (folder / name).unlink(missing_ok=True)

    def check_pages_while_held(self, victim: str, submissions: dict[str, int]) -> None:
        """The site that came back tells every intern where their run stands."""
        for moment, submission in submissions.items():
            shown = self.system.state_shown_to(f"{victim}-{moment}", submission)
            assert shown == ("scored" if moment == "after-commit" else "running"), moment


def submission_of(system: CrashSystem, name: str) -> int:
    """The intern's one submission."""
    query = (
        "SELECT s.id FROM submissions_submission s JOIN internships_internship i ON i.id = s.internship_id "
        "JOIN accounts_user u ON u.id = i.intern_id WHERE u.username = %s"
    )
    ((found,),) = system.rows(query, name)
    return int(found)


def state_of(system: CrashSystem, submission: int) -> str:
    """Of its run."""
    ((state,),) = system.rows("SELECT state FROM evaluation_run WHERE submission_id = %s", submission)
    return str(state)


def has_ended(system: CrashSystem, submission: int) -> bool:
    """Its run is not open any more."""
    return state_of(system, submission) not in ("queued", "running")


def open_leases(system: CrashSystem) -> list[tuple[Any, ...]]:
    """Of all runs."""
    return system.rows("SELECT id, state FROM gpus_lease WHERE closed_at IS NULL")


def check_cell(system: CrashSystem, submission: int) -> None:
    """One run, one right score; its history begins, says why it was tried again, and ends once; its GPU is given back."""
    ((run, state, fault),) = system.rows(
        "SELECT id, state, fault FROM evaluation_run WHERE submission_id = %s", submission
    )
    assert (state, fault) == ("scored", "")
    assert system.rows("SELECT value, metrics->>'accuracy' FROM evaluation_score WHERE run_id = %s", run) == [
        (VALUE, str(VALUE))
    ]
    told = [
        message
        for (message,) in system.rows("SELECT message FROM evaluation_runevent WHERE run_id = %s ORDER BY at, id", run)
    ]
    assert told[0] == "In line for evaluation"
    assert told[-1] == "Scored"
    assert told.count("Scored") == 1
    assert told.count(AGAIN) == sum(message.startswith("Preparing") for message in told) - 1
    lease = "SELECT l.state FROM gpus_lease l JOIN evaluation_run r ON r.lease_id = l.id WHERE r.id = %s"
    assert system.rows(lease, run) == [("released",)]


def tries_of(system: CrashSystem, submission: int) -> tuple[int, int]:
    """How often it was tried by what counts, and how often its history says that it is tried again."""
    again = "SELECT count(*) FROM evaluation_runevent e WHERE e.run_id = r.id AND e.message = %s"
    query = f"SELECT r.tries, ({again}) FROM evaluation_run r WHERE r.submission_id = %s"
    ((tries, retries),) = system.rows(query, AGAIN, submission)
    return tries, retries


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory, own_engine: OwnEngine) -> Iterator[Rounds]:
    """The system, with an intern for every cell."""
    names = [f"{victim}-{moment}" for victim, moment in product(VICTIMS, MOMENTS)] + [*LATE.values(), *BOTH]
    folder = tmp_path_factory.mktemp("crash")
    with crash_system(folder, engine=own_engine, people=PEOPLE.format(names=names, **GPUS)) as system:
        yield Rounds(system)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "victim", ["worker", *(pytest.param(victim, marks=pytest.mark.slow) for victim in VICTIMS[1:])]
)
def test_one_right_result_whoever_is_killed_and_whenever(victim: str, moment: str, rounds: Rounds) -> None:
    submission = rounds.of(victim)[moment]
    check_cell(rounds.system, submission)
    is_tried_again = moment in TRIED_AGAIN.get(victim, ())
    # An engine that is away is nobody's try.
    assert tries_of(rounds.system, submission) == (2 if is_tried_again and victim == "worker" else 1, is_tried_again)
    assert rounds.system.state_shown_to(f"{victim}-{moment}", submission) == "scored"


@pytest.mark.slow
@pytest.mark.parametrize("is_broken", [False, True])
def test_a_worker_that_comes_back_late_writes_nothing_and_without_fencing_the_check_fails(
    is_broken: bool, rounds: Rounds
) -> None:
    system, name = rounds.system, LATE[is_broken]
    with system.another_worker(**({"PRACTICUM_TEST_BROKEN": "1"} if is_broken else {})) as worker:
        rounds.hand_in_held(name, moment="comes-late")
        submission = submission_of(system, name)
        rounds.wait_until_reached(name, submission=submission, moment="comes-late")
        system.a_minute_passes()
        wait(lambda: has_ended(system, submission), what="another worker has brought it to its end")
        rounds.let_go(name)
        if is_broken:
            wait(lambda: state_of(system, submission) == "failed", what="the late writer has done harm")
            with pytest.raises(AssertionError):
                check_cell(system, submission)
        else:
            late = "was taken from this worker; it stops"
            wait(lambda: late in worker.log.read_text(), what="the late one stops")
            check_cell(system, submission)


@pytest.mark.slow
def test_two_workers_share_the_line_and_their_containers_read_one_copy_of_the_data(rounds: Rounds) -> None:
    system = rounds.system
    with system.two_workers():
        for name in BOTH:
            rounds.hand_in_held(name, moment="mid-run")
        submissions = {name: submission_of(system, name) for name in BOTH}
        for name, submission in submissions.items():
            rounds.wait_until_reached(name, submission=submission, moment="mid-run")
        containers = [system.container_of(submission) for submission in submissions.values()]
        # Both run now, and the file that each waits for is taken from the folder on the host.
        for name in BOTH:
            rounds.let_go(name)
        wait(lambda: all(has_ended(system, one) for one in submissions.values()), what="both have ended")
        wait(lambda: open_leases(system) == [], what="both GPUs are given back")
    for submission in submissions.values():
        check_cell(system, submission)
    by = "SELECT count(DISTINCT worker) FROM evaluation_run WHERE submission_id = ANY(%s)"
    assert system.rows(by, list(submissions.values())) == [(2,)]
    mounted = [{mount["Destination"]: mount for mount in container["Mounts"]} for container in containers]
    for mounts in mounted:
        assert (mounts["/inputs"]["Source"], mounts["/inputs"]["RW"]) == (str(system.inputs), False)
        assert {mount["Type"] for target, mount in mounts.items() if target != "/out"} == {"bind"}
    assert mounted[0]["/out"]["Name"] != mounted[1]["/out"]["Name"]


@pytest.mark.slow
def test_no_intern_has_lost_one_of_the_days_two_attempts(rounds: Rounds) -> None:
    for victim in VICTIMS:
        rounds.of(victim)
    rounds.system.parts["worker"].kill()
    for name in (f"{victim}-{moment}" for victim, moment in product(VICTIMS, MOMENTS)):
        second, third = (rounds.system.hand_in(name, work(other)) for other in ("second", "third"))
        assert (second.status_code, "/upload/" in str(second.url)) == (200, False), name
        assert 'data-code="daily_cap"' in third.text, name
