"""Drills: a part fails while people work. They read what is wrong, health names it, the log says it once, and all of it is well
again without a hand: nothing lost, doubled or stuck, no attempt gone.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.crash_system import CrashSystem
from tests.e2e.drill_system import DrillSystem, Person, drill_system
from tests.e2e.test_crash_matrix import has_ended, submission_of, wait, work
from tests.tools import guide

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAMES = ["ines", "kofi", "noor", "tomas", "lin", "sam", "nadia"]
MINUTE = 60.0
WROTE = "The loss falls, then it rises again.\nI think the <rate> is too high."
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
WRITTEN = re.compile(r'<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', re.DOTALL)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillSystem]:
    """The system, with a notebook of ines that runs."""
    with drill_system(tmp_path_factory.mktemp("drills"), names=NAMES) as made:
        with made.person("ines") as ines:
            assert ines.post("/notebook/start/").status_code == 200
        wait(lambda: made.notebook_answers("ines"), what="a notebook runs")
        yield made


@contextmanager
def held_run(system: CrashSystem, name: str) -> Iterator[int]:
    """The code of this intern's submission runs until the end of the context."""
    held = system.inputs / name
    held.touch()
    try:
        assert "/upload/" not in str(system.hand_in(name, work(name)).url)
        submission = submission_of(system, name)
        log = "SELECT log_tail FROM evaluation_run WHERE submission_id = %s"
        wait(lambda: system.rows(log, submission) == [("working",)], what=f"{name}'s code runs")
        yield submission
    finally:
        held.unlink()


@contextmanager
def said_once(system: DrillSystem, part: str, *, by: str, lines: int = 100) -> Iterator[None]:
    """The log of ``by`` says once that the part is away; no program of the site's writes tracebacks, or more than a line or two
    for each of its two dozen loops.
    """
    names = ("web", "worker", "agent")
    before = {name: len(system.log_of(name)) for name in names}
    yield
    new = {name: system.log_of(name)[before[name] :] for name in names}
    assert new[by].count(f"{part}: away") == 1, new[by]
    assert new[by].count(f"{part}: answers again") == 1, new[by]
    for log in new.values():
        assert "Traceback" not in log, log
        assert log.count("\n") < lines, log


@contextmanager
def away(system: DrillSystem, part: str, *, seconds: float) -> Iterator[None]:
    """A part is killed, and is back after so many seconds, whatever becomes of the test."""
    until = time.monotonic() + seconds
    system.kill(part)
    try:
        yield
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        system.start_again(part)


@contextmanager
def clock_set(system: DrillSystem, how: str) -> Iterator[None]:
    """The clock leaps, and is set right afterwards."""
    system.set_clock(how)
    try:
        wait(lambda: "clock" in system.health()["failing"], what=lambda: f"health names the clock: {system.health()}")
        yield
    finally:
        system.set_clock("+0")


def is_told(answer: httpx.Response, code: str) -> None:
    """A page that says whose fault it is, and when to come back."""
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert f'data-code="{code}"' in answer.text
    assert "Our fault, not yours" in answer.text
    assert "Traceback" not in answer.text


def has_one_right_result(system: CrashSystem, submission: int) -> None:
    """Scored once, on the first try, and its page's history has no failure in it."""
    query = "SELECT r.state, r.fault, r.tries, count(s.id) FROM evaluation_run r LEFT JOIN evaluation_score s ON s.run_id = r.id"
    assert system.rows(f"{query} WHERE r.submission_id = %s GROUP BY r.id", submission) == [("scored", "", 1, 1)]


def nothing_is_doubled(system: DrillSystem) -> None:
    """One live lease a slot, and nobody's notebook ended."""
    live = "SELECT slot_id FROM gpus_lease WHERE state IN ('granted', 'active', 'draining')"
    assert system.rows(f"{live} GROUP BY slot_id HAVING count(*) > 1") == []
    assert system.session_of("ines")[::3] == ("running", 1)
    assert system.notebook_answers("ines")


def is_well(system: DrillSystem) -> None:
    """Health is green again, by itself."""
    wait(lambda: system.health()["code"] == 200, what=lambda: f"health is green: {system.health()}")


def starts(system: DrillSystem, name: str) -> None:
    """The notebook that this intern asked for runs; they asked once, and it took one attempt."""
    wait(lambda: system.notebook_answers(name), what=lambda: f"the notebook of {name}: {system.session_of(name)}")
    wait(lambda: system.session_of(name)[0] == "running", what=lambda: f"{name}: {system.session_of(name)}")
    assert system.session_of(name)[1::2] == (1, 1)


def check_in_of(system: DrillSystem, name: str) -> str:
    """Where this intern's check-in is sent."""
    query = "SELECT i.id FROM internships_internship i JOIN accounts_user u ON u.id = i.intern_id WHERE u.username = %s"
    ((internship,),) = system.rows(query, name)
    return f"/internships/{internship}/record/check-in/"


def sent_again(person: Person, page: httpx.Response) -> httpx.Response:
    """What the button of the page sends."""
    fields = dict(HIDDEN.findall(page.text)) | dict(WRITTEN.findall(page.text))
    action = re.search(r'action="([^"]+)"', page.text)
    assert action
    return person.post(action[1], **{name: html.unescape(value) for name, value in fields.items()})


def test_a_database_that_is_away_for_a_minute_costs_nobody_anything(system: DrillSystem) -> None:
    path = check_in_of(system, "ines")
    with (
        said_once(system, "database", by="web"),
        system.person("ines") as ines,
        system.person("noor") as noor,
    ):
        with held_run(system, "kofi") as submission:
            with away(system, "database", seconds=MINUTE):
                is_told(ines.get("/"), "database_away")
                is_told(noor.post("/notebook/start/"), "database_away")
                is_told(noor.post("/submissions/upload/", files={"archive": ("w.zip", work("x"))}), "database_away")
                lost = ines.post(path, went=WROTE, following="Halve it.", stuck="")
                is_told(lost, "database_away")
                assert html.escape(WROTE) in lost.text
                api = httpx.get(f"{system.site}/api/workspace/help", headers={"Authorization": "Bearer x"})
                assert (api.status_code, api.json()["error"]["code"]) == (503, "database_away")
                assert "database" in system.health()["failing"]
                assert system.doctor("database") == {"database": "mend"}
                assert system.notebook_answers("ines")
            is_well(system)
            assert sent_again(ines, lost).status_code == 200
        wait(lambda: has_ended(system, submission), what="the evaluation ends")
        assert noor.post("/notebook/start/").status_code == 200
        starts(system, "noor")
    assert system.rows("SELECT went, following, stuck FROM internships_checkin") == [(WROTE, "Halve it.", "")]
    has_one_right_result(system, submission)
    nothing_is_doubled(system)


def test_a_full_disk_stops_what_writes_and_nothing_else(system: DrillSystem) -> None:
    count = "SELECT count(*) FROM submissions_submission"
    with (
        said_once(system, "disk", by="worker"),
        system.person("lin") as lin,
        system.person("tomas") as tomas,
    ):
        with held_run(system, "tomas") as submission:
            ((before,),) = system.rows(count)
            # What the database needs for its log of the next seconds is there already, as it mostly is.
            system.makes_room_in_its_log()
            worker = system.pid_of_worker()
            with system.disk.full():
                wait(lambda: "disk" in system.health()["failing"], what="health names the disk")
                is_told(lin.post("/submissions/upload/", files={"archive": ("w.zip", work("x"))}), "disk_away")
                assert system.doctor("machine")["disk of the site's files"] == "mend"
                for page in ("/", "/status/", "/account/"):
                    assert lin.get(page).status_code == 200
                asked = tomas.post("/notebook/start/")
                assert asked.status_code in (200, 503), asked.text
                time.sleep(5)
                assert system.pid_of_worker() == worker
                assert system.notebook_answers("ines")
        is_well(system)
        wait(lambda: has_ended(system, submission), what="the evaluation ends")
        assert "/upload/" not in str(system.hand_in("lin", work("x")).url)
        wait(lambda: has_ended(system, submission_of(system, "lin")), what="the next one ends")
        if asked.status_code == 503:
            assert tomas.post("/notebook/start/").status_code == 200
        starts(system, "tomas")
    assert system.rows(count) == [(before + 1,)]
    assert list((system.disk.folder / "var" / "submissions" / ".staging").iterdir()) == []
    has_one_right_result(system, submission)
    nothing_is_doubled(system)


def test_while_the_engine_is_away_whoever_asks_for_a_notebook_keeps_their_place(system: DrillSystem) -> None:
    with said_once(system, "engine", by="worker"), system.person("lin") as lin:
        with away(system, "engine", seconds=8):
            wait(lambda: "engine" in system.health()["failing"], what=lambda: f"health names it: {system.health()}")
            assert lin.post("/notebook/start/").status_code == 200
            assert "/upload/" not in str(system.hand_in("sam", work("x")).url)
            assert system.doctor("engine")["container engine"] == "mend"
            assert lin.get("/notebook/").status_code == 200
        is_well(system)
        starts(system, "lin")
    submission = submission_of(system, "sam")
    wait(lambda: has_ended(system, submission), what="the evaluation ends")
    has_one_right_result(system, submission)
    nothing_is_doubled(system)


def test_a_clock_that_leaps_a_day_ends_nothing_and_all_goes_on_when_it_is_set_right(system: DrillSystem) -> None:
    with said_once(system, "clock", by="worker"), system.person("nadia") as nadia:
        with held_run(system, "noor") as submission:
            system.set_clock("+1d")
            wait(
                lambda: "clock" in system.health()["failing"], what=lambda: f"health names the clock: {system.health()}"
            )
            assert nadia.get("/").status_code == 200
            assert nadia.post("/notebook/start/").status_code == 200
            assert "/upload/" not in str(system.hand_in("nadia", work("x")).url)
            time.sleep(4)
            nothing_is_doubled(system)
            assert system.session_of("nadia")[0] == "queued"
            system.set_clock("+0")
            is_well(system)
        wait(lambda: has_ended(system, submission), what="the evaluation that was at work ends")
        wait(lambda: has_ended(system, submission_of(system, "nadia")), what="the one of tomorrow ends")
        starts(system, "nadia")
    for each in (submission, submission_of(system, "nadia")):
        has_one_right_result(system, each)
    nothing_is_doubled(system)


def test_a_clock_that_leaps_back_leaves_nothing_waiting_for_a_day(system: DrillSystem) -> None:
    with said_once(system, "clock", by="worker"):
        with clock_set(system, "-1d"):
            time.sleep(2)
        is_well(system)
    nothing_is_doubled(system)


def test_without_the_hub_notebooks_go_on_and_who_asks_for_one_waits(system: DrillSystem) -> None:
    with said_once(system, "hub", by="worker"), system.person("sam") as sam:
        with away(system, "hub", seconds=8):
            wait(lambda: "hub" in system.health()["failing"], what=lambda: f"health names the hub: {system.health()}")
            assert sam.post("/notebook/start/").status_code == 200
            assert "None can be opened just now" in sam.get("/status/").text
            assert system.notebook_answers("ines")
        is_well(system)
        starts(system, "sam")
    nothing_is_doubled(system)


def test_a_mail_server_whose_name_leads_nowhere_holds_up_the_mail_alone(system: DrillSystem) -> None:
    tried = "UPDATE accounts_delivery SET next_try_at = now() WHERE channel = 'mail' AND state = 'waiting' RETURNING id"
    with said_once(system, "mail", by="worker"), system.person("noor") as noor:
        system.names_resolve(False)
        system.taken.clear()
        assert noor.post("/account/notices/test/").status_code == 200
        wait(lambda: "mail" in system.health()["failing"], what=lambda: f"health names the mail: {system.health()}")
        assert system.doctor("mail") == {"mail server": "mend"}
        assert noor.get("/").status_code == 200
        system.names_resolve(True)
        system.rows(tried)  # a minute later
        is_well(system)
    assert sum("To: noor@example.org" in mail for mail in system.taken) == 1


def test_what_the_guide_says_to_type_brings_back_what_is_gone(system: DrillSystem) -> None:
    for part, lines in {
        "database": guide.block("worst-day", "The database is down"),
        "hub": guide.block("worst-day", "The hub is down"),
    }.items():
        system.kill(part)
        said = [system.typed(line) for line in lines]
        is_well(system)
        assert any(said), part
    key = system.disk.folder / "var" / "oidc.pem"
    key.unlink()
    for line in guide.block("worst-day", "A key is lost"):
        system.typed(line)
    is_well(system)
    assert key.is_file()
    nothing_is_doubled(system)


def test_what_the_guide_says_to_look_at_is_to_be_seen(system: DrillSystem) -> None:
    looks = {
        "failing": guide.block("worst-day", "Look first"),
        "disk of the site's files": guide.block("worst-day", "The disk is full"),
        "container engine": guide.block("worst-day", "The engine is down"),
        "mail server": guide.block("worst-day", "The mail server is down"),
        "PostgreSQL": guide.block("worst-day", "The clock is wrong"),
        "certificate of the site": guide.block("worst-day", "A certificate has expired"),
        "worker": guide.block("worst-day", "Too many at once"),
    }
    for seen, lines in looks.items():
        said = "".join(system.typed(line) for line in lines)
        assert seen in said, said
    is_well(system)
    nothing_is_doubled(system)
