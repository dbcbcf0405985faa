"""The pages of help: the mentor reads in a sandbox while they may, and not a moment longer; both see who is in."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from practicum.lib.clock import utc_now
from practicum.reviews.views import SANDBOX
from practicum.workspaces import help_requests
from practicum.workspaces.models import HelpNotebook, HelpRequest, Session
from tests.unit.gpus.conftest import lease_on, make_slots

CELL = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Found <script>alert(1)</script>"}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


@pytest.fixture
def moment() -> datetime:
    """The clock that the pages look at."""
    return utc_now()


@pytest.fixture
def helping(intern: Any, internship: Any, moment: datetime) -> HelpRequest:
    """The mentor reads one notebook."""
    (slot, *_) = make_slots(1)
    session = Session.objects.create(
        user=intern, internship=internship, lease=lease_on(slot, intern, now=moment), requested_at=moment,
        state="running", deadline=moment + timedelta(hours=8), active_at=moment,
    )  # fmt: skip
    request = help_requests.ask(intern, topic="Why NaN?", minutes=30, now=moment)
    assert request.session == session
    help_requests.open_request(request, now=moment)
    help_requests.take_notebook(request, path="digits/start.ipynb", content=NOTEBOOK, now=moment)
    return request


def pages(helping: HelpRequest) -> tuple[str, str]:
    """The mentor's page and the notebook in its frame."""
    notebook = HelpNotebook.objects.values_list("pk", flat=True).first()
    return reverse("reviews:help", args=[helping.pk]), reverse(
        "reviews:help_notebook", args=[helping.pk, notebook or 1]
    )


def test_the_notebook_is_shown_sandboxed_and_nothing_drawn_is_kept(
    helping: HelpRequest, mentor: Any, client_of: Any, data_dir: Path
) -> None:
    page, frame = pages(helping)
    assert "digits/start.ipynb" in client_of(mentor).get(page).content.decode()

    shown = client_of(mentor).get(frame)

    assert "Found" in shown.content.decode()
    assert "<script" not in shown.content.decode()
    assert shown["Content-Security-Policy"] == SANDBOX
    assert shown["Cache-Control"] == "private, no-store"
    assert not [path for path in (data_dir / "rendered").rglob("*") if path.is_file()]


@pytest.mark.parametrize("ending", ["by the intern", "its time", "another mentor", "the session"])
def test_a_page_that_was_open_shows_nothing_after_the_end(
    helping: HelpRequest, mentor: Any, other_mentor: Any, intern: Any, client_of: Any, ending: str
) -> None:
    page, frame = pages(helping)
    if ending == "by the intern":
        assert client_of(intern).post(reverse("workspaces:help_end")).status_code == 302
    elif ending == "its time":
        HelpRequest.objects.update(until=utc_now())
    elif ending == "another mentor":
        helping.session.internship.mentor = other_mentor
        helping.session.internship.save()
    else:
        Session.objects.update(state="stopping")

    assert client_of(mentor).get(frame).status_code == 404
    told = client_of(mentor).get(page).content.decode()
    assert "This is over" in told
    assert "digits/start.ipynb" not in told
    assert client_of(mentor).post(reverse("reviews:help_hands", args=[helping.pk])).status_code == 409


def test_it_stands_at_the_top_of_the_inbox_and_at_the_mentors_home_and_nowhere_of_others(
    helping: HelpRequest, mentor: Any, other_mentor: Any, client_of: Any
) -> None:
    for address in (reverse("reviews:inbox"), reverse("portal:home")):
        assert reverse("reviews:help", args=[helping.pk]) in client_of(mentor).get(address).content.decode()
        assert "Why NaN?" not in client_of(other_mentor).get(address).content.decode()
    for address in pages(helping):
        assert client_of(other_mentor).get(address).status_code == 404


def test_the_notebooks_page_says_who_is_in_and_asks_the_intern(
    helping: HelpRequest, mentor: Any, intern: Any, client_of: Any
) -> None:
    notebook = reverse("workspaces:notebook")
    assert "Mira Mentor reads your notebooks" in client_of(intern).get(notebook).content.decode()
    client_of(mentor).post(reverse("reviews:help_hands", args=[helping.pk]))
    assert "Mira Mentor asks to work in your notebook" in client_of(intern).get(notebook).content.decode()
    refused = client_of(intern).post(reverse("workspaces:help_allow"))
    assert (refused.status_code, "shown out" in refused.content.decode()) == (409, True)
    help_requests.hear(helping, now=utc_now())
    assert client_of(intern).post(reverse("workspaces:help_allow")).status_code == 302
    assert "Mira Mentor may work in your notebook" in client_of(intern).get(notebook).content.decode()


@pytest.mark.parametrize(
    "fields", [{}, {"topic": "x"}, {"topic": "x", "minutes": "-1"}, {"topic": "", "minutes": "30"}]
)
def test_a_form_that_can_not_be_used_is_shown_again(
    helping: HelpRequest, intern: Any, client_of: Any, fields: dict[str, str]
) -> None:
    client_of(intern).post(reverse("workspaces:help_end"))

    answer = client_of(intern).post(reverse("workspaces:help"), fields)

    assert answer.status_code == 400
    assert f'value="{fields.get("topic", "")}"' in answer.content.decode()


def test_help_can_be_asked_for_on_the_page(helping: HelpRequest, intern: Any, client_of: Any) -> None:
    client_of(intern).post(reverse("workspaces:help_end"))
    assert client_of(intern).post(reverse("workspaces:help"), {"topic": "Again", "minutes": "60"}).status_code == 302
    assert HelpRequest.objects.get(state="asked").minutes == 60
