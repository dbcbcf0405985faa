"""Help in a running notebook: who may do what, in which order, and that nothing is left open when it ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from practicum.accounts.models import Notice
from practicum.audit.models import Record
from practicum.errors import Conflict, Invalid, NotFound, Stale
from practicum.internships.models import InternshipState
from practicum.workspaces import help_requests, help_selectors, services
from practicum.workspaces import help_rules as rules
from practicum.workspaces.hub import HubUnavailable
from practicum.workspaces.models import HelpNotebook, HelpRequest, HelpState
from practicum.workspaces.sharing import follow_help, settle_shares
from tests.unit.workspaces.conftest import World

SOON = timedelta(minutes=5)
GROUND = rules.Ground(until=None, is_running=True, is_active=True, is_their_mentor=True, are_accounts_on=True)


def asked(world: World, user: Any, *, minutes: int = 30) -> HelpRequest:
    """The intern's notebook runs and help was asked for in it."""
    world.run(user)
    return help_requests.ask(user, topic=" Why does\nit  diverge? ", minutes=minutes, now=world.now)


def loaded(request: HelpRequest) -> HelpRequest:
    """The request as a mentor's next page loads it."""
    return help_selectors.request_of_mentor(request.mentor, request_id=request.pk)


def read(world: World, user: Any) -> HelpRequest:
    """The mentor reads."""
    request = asked(world, user)
    help_requests.open_request(request, now=world.now)
    return request


def with_hands(world: World, user: Any) -> HelpRequest:
    """The intern let the mentor work in the notebook, and the hub was told."""
    request = read(world, user)
    help_requests.ask_for_hands(request, now=world.now)
    help_requests.hear(request, now=world.now)
    request = loaded(request)
    help_requests.allow_hands(request, now=world.now)
    follow_help(world.now, hub=world.hub)
    return loaded(request)


def verbs() -> list[str]:
    """What the record says of help."""
    return list(Record.objects.filter(verb__startswith="help.").order_by("pk").values_list("verb", flat=True))


# The rules.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"until": timedelta(seconds=1)}, None),
        ({"until": timedelta(0)}, rules.TIME_IS_UP),
        ({"is_running": False}, "The notebook stopped."),
        ({"is_active": False}, "The internship does not go on."),
        ({"is_their_mentor": False}, "The internship has another mentor now."),
        ({"are_accounts_on": False}, "An account was switched off."),
    ],
)
def test_it_ends_with_whatever_it_stands_on(changes: dict[str, Any], reason: str | None, now: datetime) -> None:
    if "until" in changes:
        changes = {"until": now + changes["until"]}
    assert rules.reason_to_end(rules.Ground(**GROUND.__dict__ | changes), now=now) == reason


def test_it_never_outlasts_the_session(now: datetime) -> None:
    assert rules.until(minutes=60, lease_until=now + SOON, now=now) == now + SOON
    assert rules.until(minutes=15, lease_until=now + timedelta(hours=3), now=now) == now + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("digits/start.ipynb", True),
        ("a b/ü.ipynb", True),
        ("digits/predict.py", False),
        ("../x.ipynb", False),
        ("/etc/x.ipynb", False),
        ("a//x.ipynb", False),
        ("a/\u202e.ipynb", False),
        ("x" * 300 + ".ipynb", False),
    ],
)
def test_only_the_path_of_a_notebook_is_taken(path: str, fits: bool) -> None:
    assert rules.is_notebook_path(path) is fits


# From the question to the end.


def test_the_mentor_is_told_and_reads_and_works_only_step_by_step(
    world: World, intern: Any, mentor: Any, internship: Any
) -> None:
    request = asked(world, intern)
    assert (request.topic, request.mentor, request.state) == ("Why does it diverge?", mentor, HelpState.ASKED)
    notice = Notice.objects.get(user=mentor, kind="help.asked")
    assert (notice.subject, notice.path) == (
        "Ines Intern asks for help in their notebook",
        f"/review/help/{request.pk}/",
    )
    with pytest.raises(Stale):
        help_requests.ask_for_hands(request, now=world.now)
    help_requests.hear(request, now=world.now)
    with pytest.raises(Stale):
        help_requests.allow_hands(loaded(request), now=world.now)

    world.now += SOON
    help_requests.open_request(request, now=world.now)
    assert request.until == world.now + timedelta(minutes=30), "the time runs from when the mentor is there"
    help_requests.ask_for_hands(request, now=world.now)
    help_requests.refuse_hands(request, now=world.now)
    assert (request.state, request.may_read) == (HelpState.READING, True)
    help_requests.ask_for_hands(request, now=world.now)
    help_requests.hear(request, now=world.now)
    help_requests.allow_hands(loaded(request), now=world.now)
    assert world.hub.shares == {}, "the worker asks the hub"
    follow_help(world.now, hub=world.hub)
    assert world.hub.shares == {"ines": {"mira"}}
    help_requests.end_by(intern, loaded(request), now=world.now)
    follow_help(world.now, hub=world.hub)

    assert world.hub.shares == {}
    assert verbs() == [
        "help.asked", "help.opened", "help.hands_asked", "help.hands_refused", "help.hands_asked", "help.hands_allowed",
        "help.shared", "help.ended", "help.unshared",
    ]  # fmt: skip
    ended = Record.objects.get(verb="help.ended")
    assert (ended.actor, ended.facts["reason"], ended.facts["had_hands"]) == (intern, "The intern ended it.", True)


def test_reading_shares_nothing_at_the_hub(world: World, intern: Any, internship: Any) -> None:
    request = read(world, intern)
    help_requests.ask_for_hands(request, now=world.now)

    follow_help(world.now, hub=world.hub)

    assert world.hub.shares == {}
    assert "share" not in [verb for verb, _ in world.hub.calls]


@pytest.mark.parametrize("who", ["intern", "mentor"])
def test_either_ends_it_at_any_step_and_what_was_read_is_gone(
    world: World, who: str, internship: Any, request: pytest.FixtureRequest
) -> None:
    helping = read(world, internship.intern)
    help_requests.take_notebook(helping, path="digits/start.ipynb", content=b"{}", now=world.now)

    help_requests.end_by(request.getfixturevalue(who), helping, now=world.now)
    help_requests.end_by(request.getfixturevalue(who), helping, now=world.now)

    assert (helping.state, helping.ended_by.username) == (HelpState.ENDED, {"intern": "ines", "mentor": "mira"}[who])
    assert HelpNotebook.objects.count() == 0
    assert verbs().count("help.ended") == 1
    with pytest.raises(Conflict, match="over"):
        help_requests.open_request(loaded(helping), now=world.now)


def switch_off(internship: Any) -> None:
    internship.intern.is_active = False
    internship.intern.save()


def switch_mentor_off(internship: Any) -> None:
    internship.mentor.is_active = False
    internship.mentor.save()


def pause(internship: Any) -> None:
    internship.state = InternshipState.PAUSED
    internship.save()


def end_internship(internship: Any) -> None:
    internship.state = InternshipState.ENDED
    internship.save()


def stop(internship: Any) -> None:
    services.stop_notebook(internship.intern, now=internship.seen_now)


def change_mentor(internship: Any) -> None:
    internship.mentor = internship.other
    internship.save()


@pytest.mark.parametrize("turn", [switch_off, switch_mentor_off, pause, end_internship, stop, change_mentor])
def test_whatever_takes_its_ground_away_takes_the_hands_away(
    world: World, internship: Any, other_mentor: Any, turn: Callable[[Any], None]
) -> None:
    helping = with_hands(world, internship.intern)
    assert world.hub.shares == {"ines": {"mira"}}
    internship.seen_now, internship.other = world.now, other_mentor

    turn(internship)

    # At once, by the next question of the notebook: before the worker has looked.
    assert help_selectors.open_request_of(helping.session, now=world.now) is None
    assert help_selectors.reason_to_end(loaded(helping), now=world.now) is not None
    assert help_selectors.requests_for(helping.mentor, now=world.now) == []
    follow_help(world.now, hub=world.hub)
    helping.refresh_from_db()
    assert (helping.state, helping.is_shared, world.hub.shares) == (HelpState.ENDED, False, {})
    assert Record.objects.get(verb="help.ended").actor is None


def test_its_time_ends_it_by_itself(world: World, intern: Any, internship: Any) -> None:
    helping = with_hands(world, intern)

    world.now += timedelta(minutes=30)

    assert help_selectors.open_request_of(helping.session, now=world.now) is None
    follow_help(world.now, hub=world.hub)
    helping.refresh_from_db()
    assert (helping.state, helping.reason, world.hub.shares) == (HelpState.ENDED, rules.TIME_IS_UP, {})


# What is refused.


def test_help_is_asked_for_once_and_only_where_a_notebook_runs(world: World, intern: Any, internship: Any) -> None:
    with pytest.raises(Conflict, match="running notebook"):
        help_requests.ask(intern, topic="x", minutes=30, now=world.now)
    asked(world, intern)
    with pytest.raises(Conflict, match="already"):
        help_requests.ask(intern, topic="x", minutes=30, now=world.now)


def test_what_is_over_stands_in_nobodys_way(world: World, intern: Any, internship: Any) -> None:
    read(world, intern)
    world.now += timedelta(minutes=31)

    again = help_requests.ask(intern, topic="Again", minutes=15, now=world.now)

    assert again.state == HelpState.ASKED
    assert HelpRequest.objects.filter(state=HelpState.ENDED).count() == 1


@pytest.mark.parametrize(("topic", "minutes"), [("  ", 30), ("x" * 201, 30), ("x", 0), ("x", 31), ("x", 600)])
def test_a_topic_in_one_line_and_a_time_that_is_offered(
    world: World, intern: Any, internship: Any, topic: str, minutes: int
) -> None:
    world.run(intern)
    with pytest.raises(Invalid):
        help_requests.ask(intern, topic=topic, minutes=minutes, now=world.now)


def test_no_hands_in_a_notebook_that_can_not_show_anybody_out(world: World, intern: Any, internship: Any) -> None:
    request = read(world, intern)
    help_requests.ask_for_hands(request, now=world.now)
    with pytest.raises(Conflict, match="shown out"):
        help_requests.allow_hands(loaded(request), now=world.now)
    help_requests.hear(request, now=world.now)
    world.now += timedelta(seconds=16)
    with pytest.raises(Conflict, match="shown out"):
        help_requests.allow_hands(loaded(request), now=world.now)
    request.refresh_from_db()
    assert request.state == HelpState.HANDS_ASKED


def test_a_mentor_has_hands_in_one_notebook_at_a_time(
    world: World, intern: Any, internship: Any, peer: Any, peer_internship: Any, mentor: Any
) -> None:
    from practicum.gpus.models import Slot

    slot = Slot.objects.get()
    Slot.objects.create(server=slot.server, pool=slot.pool, kind="cpu", index=1, uuid="cpu:alpha:1", model="CPU")
    other = asked(world, peer)
    help_requests.open_request(other, now=world.now)
    help_requests.ask_for_hands(other, now=world.now)
    help_requests.hear(other, now=world.now)
    with_hands(world, intern)

    with pytest.raises(help_requests.Busy):
        help_requests.allow_hands(loaded(other), now=world.now)

    follow_help(world.now, hub=world.hub)
    assert world.hub.shares == {"ines": {"mira"}}


def test_nobody_elses_request_is_there(world: World, intern: Any, internship: Any, other_mentor: Any) -> None:
    request = asked(world, intern)
    with pytest.raises(NotFound):
        help_selectors.request_of_mentor(other_mentor, request_id=request.pk)


def test_nothing_is_taken_while_nobody_reads_and_of_many_notebooks_the_last(
    world: World, intern: Any, internship: Any
) -> None:
    request = asked(world, intern)
    with pytest.raises(Conflict):
        help_requests.take_notebook(request, path="a.ipynb", content=b"{}", now=world.now)
    help_requests.open_request(request, now=world.now)
    for number in range(6):
        world.now += timedelta(seconds=1)
        help_requests.take_notebook(request, path=f"{number}.ipynb", content=b"{}", now=world.now)
    help_requests.take_notebook(request, path="5.ipynb", content=b"[]", now=world.now)
    assert [each.path for each in help_selectors.notebooks_of(request)] == [f"{n}.ipynb" for n in (5, 4, 3, 2)]
    with pytest.raises(Invalid):
        help_requests.take_notebook(request, path="../x.ipynb", content=b"{}", now=world.now)


# The hub.


def test_a_hub_that_is_away_is_asked_again_until_nobody_is_in(world: World, intern: Any, internship: Any) -> None:
    helping = with_hands(world, intern)
    help_requests.end_by(intern, helping, now=world.now)
    world.hub.is_away = True
    with pytest.raises(HubUnavailable):
        follow_help(world.now, hub=world.hub)
    assert HelpRequest.objects.get().is_shared
    world.hub.is_away = False
    follow_help(world.now, hub=world.hub)
    assert (HelpRequest.objects.get().is_shared, world.hub.shares) == (False, {})


def test_a_worker_killed_after_it_asked_the_hub_leaves_nobody_in(
    world: World, intern: Any, internship: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = read(world, intern)
    help_requests.ask_for_hands(request, now=world.now)
    help_requests.hear(request, now=world.now)
    help_requests.allow_hands(loaded(request), now=world.now)
    share = world.hub.share

    def killed(username: str, *, guest: str) -> None:
        share(username, guest=guest)
        raise KeyboardInterrupt

    monkeypatch.setattr(world.hub, "share", killed)
    with pytest.raises(KeyboardInterrupt):
        follow_help(world.now, hub=world.hub)
    help_requests.end_by(intern, loaded(request), now=world.now)

    follow_help(world.now, hub=world.hub)

    assert world.hub.shares == {}


def test_what_nobody_allowed_is_taken_back_and_what_was_allowed_is_shared_again(
    world: World, intern: Any, internship: Any
) -> None:
    with_hands(world, intern)
    assert settle_shares(world.now, hub=world.hub) == 0
    world.hub.shares["ines"] |= {"otto", "@mentors"}

    assert settle_shares(world.now, hub=world.hub) == 1
    assert world.hub.shares == {}
    follow_help(world.now, hub=world.hub)
    assert world.hub.shares == {"ines": {"mira"}}
    assert Record.objects.get(verb="help.share_removed").facts["guests"] == ["@mentors", "otto"]


# What the notebook asks and tells.


def notebooks_client(world: World) -> Client:
    """Speaks with the session's token."""
    token = world.grants[-1]["environment"]["PRACTICUM_TOKEN"]
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def at_worlds_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's clock is the world's."""
    monkeypatch.setattr("practicum.workspaces.help_api.utc_now", lambda: world.now)


@pytest.mark.usefixtures("at_worlds_time")
def test_the_notebook_learns_who_helps_and_shows_what_is_saved(world: World, intern: Any, internship: Any) -> None:
    world.run(intern)
    client = notebooks_client(world)
    assert client.get("/api/workspace/help").json()["state"] == "none"
    assert world.hear(help_selectors.Session.objects.get())["is_help_open"] is False
    request = help_requests.ask(intern, topic="Why?", minutes=15, now=world.now)
    assert world.hear(request.session)["is_help_open"] is True
    told = client.get("/api/workspace/help").json()
    assert (told["state"], told["helper"], told["helper_name"], told["topic"]) == (
        "asked",
        "mira",
        "Mira Mentor",
        "Why?",
    )
    assert HelpRequest.objects.get().heard_at == world.now
    address = "/api/workspace/help/notebook?path=digits/start.ipynb"
    body = b"x" * (3 * 1024 * 1024)
    refused = client.post(address, body, content_type="application/x-ipynb+json")
    assert refused.status_code == 409, "nobody reads"
    help_requests.open_request(request, now=world.now)
    assert client.post(address, body, content_type="application/x-ipynb+json").status_code == 201
    assert len(bytes(HelpNotebook.objects.get().content)) == len(body)

    assert client.post("/api/workspace/help/end").json()["state"] == "none"
    assert HelpRequest.objects.get().ended_by == intern
    assert HelpNotebook.objects.count() == 0


@pytest.mark.usefixtures("at_worlds_time")
def test_a_notebook_over_the_limit_is_refused(world: World, intern: Any, internship: Any, settings: Any) -> None:
    settings.PRACTICUM_NOTEBOOK_MAX_BYTES = 10
    read(world, intern)
    answer = notebooks_client(world).post(
        "/api/workspace/help/notebook?path=a.ipynb", b"x" * 11, content_type="application/x-ipynb+json"
    )
    assert answer.status_code == 413


@pytest.mark.usefixtures("at_worlds_time")
def test_a_notebooks_token_can_not_consent(world: World, intern: Any, internship: Any) -> None:
    request = read(world, intern)
    help_requests.ask_for_hands(request, now=world.now)
    help_requests.hear(request, now=world.now)

    answer = notebooks_client(world).post("/notebook/help/allow/")

    assert (answer.status_code, answer["Location"].startswith("/sign-in/")) == (302, True)
    request.refresh_from_db()
    assert request.state == HelpState.HANDS_ASKED
