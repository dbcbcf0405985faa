"""What an admin asks of the planner, and what a worker does to the row of a plan.

Each move is one conditional UPDATE on ``(id, state, token)``. A claim raises the token; whoever holds an older one gets
:class:`Stale` and has written nothing, so that a result is written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, Forbidden, NotFound, Stale
from practicum.gpus.demand import weeks_known
from practicum.gpus.models import OPEN_PLAN_STATES, Plan, PlanState
from practicum.gpus.plan_rules import Question

CLAIM_HOLDS = timedelta(seconds=45)
QUEUED_AT_MOST = timedelta(hours=6)
RUNNING_AT_MOST = timedelta(minutes=30)
MOST_TRIES = 3

TRY_AGAIN = "Nothing was changed. Try again, or with fewer weeks."
FELL_SILENT = f"What replayed it stopped {MOST_TRIES} times before it was done. {TRY_AGAIN}"
TOO_SLOW = f"It was not done within {RUNNING_AT_MOST // timedelta(minutes=1)} minutes. {TRY_AGAIN}"
NOBODY_CAME = "Nothing was there to replay it for six hours. See that the worker runs, then try again."
BROKE = f"The replay met a fault of ours. {TRY_AGAIN}"
TAKEN_BACK = "It was cancelled."


@dataclass(frozen=True)
class PlanClaim:
    """The right to write to a plan, until somebody claims it anew."""

    plan_id: int
    token: int


@transaction.atomic
def ask_plan(question: Question, *, actor: User, now: datetime) -> Plan:
    """Put a plan in line for the worker. Nothing else is changed.

    Raises:
        Forbidden: the actor is no admin.
        Conflict: there is not yet so much demand, or the actor's last plan is not done.
    """
    _admins(actor)
    if question.weeks > weeks_known(now=now):
        raise Conflict("There are not so many weeks of sessions yet. Choose fewer.")
    try:
        with transaction.atomic():
            plan = Plan.objects.create(
                asked_by=actor, asked_at=now, question=question.to_json(), deadline=now + QUEUED_AT_MOST
            )
    except IntegrityError as clash:
        raise Conflict("Your last plan is not done yet. Wait for it, or cancel it, and ask again.") from clash
    record("plan.asked", subject=plan, actor=actor, now=now, weeks=question.weeks, changes=question.changes)
    return plan


@transaction.atomic
def cancel_plan(plan_id: int, *, actor: User, now: datetime) -> None:
    """It is not replayed any more; what a worker has of it is thrown away.

    Raises:
        Forbidden: the actor is no admin.
        NotFound: there is no such plan.
        Conflict: it is over already.
    """
    _admins(actor)
    plan = _plan(plan_id)
    changes = {"state": PlanState.CANCELLED, "reason": TAKEN_BACK, "finished_at": now, "lease_until": None}
    moved = Plan.objects.filter(pk=plan_id, state__in=OPEN_PLAN_STATES).update(**changes, token=F("token") + 1)
    if not moved:
        raise Conflict("This plan is over already.")
    record("plan.cancelled", subject=plan, actor=actor, now=now)


def ask_again(plan_id: int, *, actor: User, now: datetime) -> Plan:
    """The same question once more, as a new plan, about the weeks up to now.

    Raises:
        Forbidden: the actor is no admin.
        NotFound: there is no such plan.
        Conflict: it is not over, or the actor's last plan is not done.
    """
    _admins(actor)
    plan = _plan(plan_id)
    if plan.is_open:
        raise Conflict("This plan is not over yet.")
    return ask_plan(Question.from_json(plan.question), actor=actor, now=now)


def _admins(actor: User) -> None:
    if not (actor.is_admin and actor.is_active):
        raise Forbidden("Only admins plan how slots are divided.")


def _plan(plan_id: int) -> Plan:
    plan = Plan.objects.select_related("asked_by").filter(pk=plan_id).first()
    if plan is None:
        raise NotFound
    return plan


# --- What a worker does ---


def claim_plan(*, now: datetime) -> Plan | None:
    """The plan that waited longest is this worker's; None when there is none."""
    waiting = Plan.objects.filter(state=PlanState.QUEUED, deadline__gt=now).order_by("asked_at", "pk")
    for plan_id, token in list(waiting.values_list("pk", "token")[:4]):
        changes = {
            "state": PlanState.RUNNING,
            "token": token + 1,
            "tries": F("tries") + 1,
            "part": 0.0,
            "heartbeat": now,
            "lease_until": now + CLAIM_HOLDS,
            "deadline": now + RUNNING_AT_MOST,
        }
        if Plan.objects.filter(pk=plan_id, state=PlanState.QUEUED, token=token).update(**changes):
            return _plan(plan_id)
    return None


def beat(claim: PlanClaim, *, part: float, now: datetime) -> None:
    """The worker is alive and so far.

    Raises:
        Stale: the plan is not this worker's any more: it was cancelled, took too long, or was given to another.
    """
    _move(claim, changes={"part": part, "heartbeat": now, "lease_until": now + CLAIM_HOLDS})


@transaction.atomic
def finish_plan(claim: PlanClaim, *, result: dict[str, Any], now: datetime) -> None:
    """It is done, with its result.

    Raises:
        Stale: the plan is not this worker's any more; nothing was written.
    """
    done = {"state": PlanState.DONE, "part": 1.0, "result": result, "finished_at": now, "lease_until": None}
    _move(claim, changes=done)
    record("plan.done", subject=_plan(claim.plan_id), actor=None, now=now)


@transaction.atomic
def fail_plan(claim: PlanClaim, *, reason: str, now: datetime) -> None:
    """It ends without a result, and ``reason`` says why and what to do.

    Raises:
        Stale: the plan is not this worker's any more; nothing was written.
    """
    _move(claim, changes={"state": PlanState.FAILED, "reason": reason, "finished_at": now, "lease_until": None})
    record("plan.failed", subject=_plan(claim.plan_id), actor=None, now=now, reason=reason)


def expire_plans(*, now: datetime) -> list[int]:
    """Plans whose worker fell silent go back in line; those that waited, or were tried, too long fail.

    Returns the ids of the plans that were moved.
    """
    late = Q(state__in=OPEN_PLAN_STATES, deadline__lte=now)
    silent = Q(state=PlanState.RUNNING, lease_until__lte=now)
    found = Plan.objects.filter(late | silent).order_by("pk")
    return [plan.pk for plan in found if _expire(plan, now=now)]


@transaction.atomic
def _expire(plan: Plan, *, now: datetime) -> bool:
    rows = Plan.objects.filter(pk=plan.pk, state=plan.state, token=plan.token)
    if plan.deadline > now and plan.tries < MOST_TRIES:
        back = {"state": PlanState.QUEUED, "lease_until": None, "part": 0.0, "deadline": now + QUEUED_AT_MOST}
        return bool(rows.filter(lease_until__lte=now).update(**back))
    reason = NOBODY_CAME if plan.state == PlanState.QUEUED else TOO_SLOW if plan.deadline <= now else FELL_SILENT
    over = {"state": PlanState.FAILED, "reason": reason, "finished_at": now, "lease_until": None}
    if plan.deadline > now:
        rows = rows.filter(lease_until__lte=now)
    moved = rows.update(**over, token=F("token") + 1)
    if moved:
        record("plan.failed", subject=plan, actor=None, now=now, reason=reason)
    return bool(moved)


def _move(claim: PlanClaim, *, changes: dict[str, Any]) -> None:
    mine = Plan.objects.filter(pk=claim.plan_id, state=PlanState.RUNNING, token=claim.token)
    if not mine.update(**changes):
        raise Stale("This plan is not this worker's any more.")
