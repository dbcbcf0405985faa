"""SECURITY.md, A4: whatever else a form is sent, nobody gets a role, a score, a state or a place by it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.urls import get_resolver

from practicum.accounts.models import User
from practicum.evaluation.models import Run, Score
from practicum.internships.models import Internship, Milestone
from practicum.submissions.models import Submission
from tests.unit.config.test_permissions import address_of, callers, things, views_of

__all__ = ["callers", "things"]

# Asked for at the person's own wish, by a form that is for this.
THEIR_OWN = {"persons:ask_own"}


def wanted(others: Any) -> dict[str, Any]:
    """What an attacker would add to a form."""
    return {
        **dict.fromkeys(("is_staff", "is_superuser", "is_admin", "is_active", "admin"), "1"),
        **dict.fromkeys(("role", "groups", "user_permissions"), "admin"),
        **dict.fromkeys(("score", "value", "points", "private", "final"), "1.0"),
        **dict.fromkeys(("status", "state", "decision"), "completed"),
        **dict.fromkeys(
            ("user", "user_id", "intern", "mentor", "actor", "owner", "author", "account_id"), str(others.pk)
        ),
        **dict.fromkeys(("cohort", "cohort_id", "internship", "internship_id", "lease", "slot"), "1"),
        **dict.fromkeys(("must_choose_password", "must_leave_hub", "deleted_at", "uuid", "pk", "id"), "0"),
    }


def kept() -> dict[str, Any]:
    """What no form of an intern may change."""
    columns = (
        "pk",
        "role",
        "is_staff",
        "is_superuser",
        "is_active",
        "username",
        "email",
        "uuid",
        "must_choose_password",
    )
    return {
        "accounts": sorted(User.objects.values_list(*columns)),
        "rights": list(User.groups.through.objects.values_list())
        + list(User.user_permissions.through.objects.values_list()),
        "scores": sorted(Score.objects.values_list("pk", "value"), key=str),
        "submissions": sorted(Submission.objects.values_list("pk", "internship_id", "digest"), key=str),
        "internships": sorted(
            Internship.objects.values_list("pk", "intern_id", "mentor_id", "cohort_id", "state", "completed_at")
        ),
        "milestones": sorted(Milestone.objects.values_list("pk", "reached_at"), key=str),
        "runs": sorted(Run.objects.values_list("pk", "image"), key=str) if hasattr(Run, "image") else [],
    }


@pytest.mark.parametrize("who", ["intern", "outsider"])
def test_what_a_form_does_not_have_changes_nothing(
    who: str, things: dict[str, Any], callers: dict[str, Any], peer: Any
) -> None:
    before, sent = kept(), wanted(peer)
    for view in sorted(set(views_of(get_resolver())) - THEIR_OWN):
        with transaction.atomic():
            answer = callers[who].post(address_of(view, things=things), sent)
            request_finished.disconnect(close_old_connections)  # not before: the client connects it again
            answer.close()
            request_finished.connect(close_old_connections)
            assert kept() == before, view
            transaction.set_rollback(True)
        assert answer.status_code < 500, view


def test_a_form_that_took_them_would_be_seen(things: dict[str, Any], intern: Any) -> None:
    """The positive control."""
    before = kept()
    User.objects.filter(pk=intern.pk).update(is_staff=True)
    assert kept() != before
