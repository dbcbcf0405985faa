"""Playing a plan's demand twice, as it is and as planned, and what is kept of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils.timezone import localdate, localtime

from practicum.errors import Stale
from practicum.gpus import plans
from practicum.gpus.demand import Demand, demand_of, with_longest
from practicum.gpus.history import NO_COHORT
from practicum.gpus.metrics import Waits
from practicum.gpus.models import Plan
from practicum.gpus.plan_replay import Hours, Played, Tick, play
from practicum.gpus.plan_rules import Question, Setting, idle_rules
from practicum.gpus.replay import IdleRule, Scenario
from practicum.internships.models import Cohort

log = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=2)
DAY_HOURS = 24
WAITS = ("mean", "p50", "p95", "longest")

Clock = Callable[[], datetime]


def run_plan(plan: Plan, *, clock: Clock) -> None:
    """Replay it and write the result, unless it was taken away meanwhile. A fault of ours ends it with a reason.

    Raises:
        DatabaseError: the rows can't be reached; the plan goes back in line by itself.
    """
    claim = plans.PlanClaim(plan.pk, plan.token)
    try:
        result = answer(Question.from_json(plan.question), asked_at=plan.asked_at, tick=_beating(claim, clock=clock))
        plans.finish_plan(claim, result=result, now=clock())
    except Stale:
        log.info("plan %s was taken away from this worker", plan.pk)
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError):
        log.exception("the replay of plan %s failed", plan.pk)
        plans.fail_plan(claim, reason=plans.BROKE, now=clock())


def _beating(claim: plans.PlanClaim, *, clock: Clock) -> Tick:
    last = [clock()]

    def tick(part: float) -> None:
        now = clock()
        if now - last[0] >= BEAT_EVERY:
            plans.beat(claim, part=part, now=now)
            last[0] = now

    return tick


def answer(question: Question, *, asked_at: datetime, tick: Tick = lambda _: None) -> dict[str, Any]:
    """The figures of both replays of the weeks up to ``asked_at``, as JSON values; the same rows give the same answer."""
    first = asked_at - timedelta(weeks=question.weeks)
    known = demand_of((first, asked_at))
    # A pool that has no slots any more would only be waited for.
    pools = {pool for side in (question.present, question.planned) for pool, count in side.slots.items() if count}
    demand = replace(known, jobs=[job for job in known.jobs if job.pool in pools])
    cohorts = {cohort.pk: cohort for cohort in Cohort.objects.all()}
    own = {pk: IdleRule(timedelta(minutes=cohort.idle_minutes), cohort.is_idle_kept) for pk, cohort in cohorts.items()}
    names: dict[int | None, str] = {pk: cohort.name for pk, cohort in cohorts.items()} | {None: NO_COHORT}

    def outcome(setting: Setting, *, done: float) -> dict[str, Any]:
        played = _play(setting, demand=demand, until=asked_at, own=own, tick=lambda part: tick(done + part / 2))
        return _outcome(played, setting=setting, names=names, span=asked_at - first)

    return {
        "first": first.isoformat(),
        "end": asked_at.isoformat(),
        "jobs": len(demand.jobs),
        "left_out": len(known.jobs) - len(demand.jobs),
        "people": len({job.user for job in demand.jobs}),
        "held_hours": round(demand.held_hours, 2),
        "measured_hours": round(demand.measured_hours, 2),
        "really": _waits(demand.waits),
        "before": outcome(question.present, done=0.0),
        "after": outcome(question.planned, done=0.5),
    }


def _play(setting: Setting, *, demand: Demand, until: datetime, own: Mapping[int, IdleRule], tick: Tick) -> Played:
    today = localdate(until)
    scenario = Scenario(
        jobs=with_longest(demand.jobs, hours=setting.longest_hours(on=today)),
        slots=setting.policy_slots(),
        quotas=setting.policy_quotas(on=today),
        reservations=demand.reservations,
        until=until,
    )
    return play(scenario, idle=idle_rules(setting, own=own), tick=tick)


def _outcome(played: Played, *, setting: Setting, names: Mapping[int | None, str], span: timedelta) -> dict[str, Any]:
    report = played.report
    held, used = sum(report.held_hours_by_cohort.values()), sum(report.busy_hours_by_user.values())
    there = max(sum(setting.slots.values()) * (span / timedelta(hours=1)), 1e-9)
    order = sorted(report.waits_by_cohort, key=lambda cohort: (cohort is None, cohort or 0))
    return {
        "waits": _waits(report.waits),
        "cohorts": [
            {"cohort": cohort, "name": names.get(cohort, NO_COHORT), "waits": _waits(report.waits_by_cohort[cohort])}
            for cohort in order
        ],
        "held_hours": round(held, 3),
        "used_hours": round(used, 3),
        "held": round(held / there, 6),
        "used": round(used / there, 6),
        "violation_hours": round(report.violation_hours, 3),
        "asked_back": report.preemptions,
        "worst_share": round(report.worst_share, 6),
        "gave_up": played.gave_up,
        "by_hour": _by_hour_of_day(played.by_hour, days=span / timedelta(days=1)),
    }


def _waits(waits: Waits) -> dict[str, Any]:
    return {"count": waits.count} | {name: round(asdict(waits)[name], 3) for name in WAITS}


def _by_hour_of_day(by_hour: Mapping[datetime, Hours], *, days: float) -> list[dict[str, float]]:
    """Slots held, used and waited for at each hour of the local day, on average."""
    sums = [{"held": 0.0, "used": 0.0, "waiting": 0.0} for _ in range(DAY_HOURS)]
    for hour, found in by_hour.items():
        for name, value in asdict(found).items():
            sums[localtime(hour).hour][name] += value
    return [{name: round(value / days, 3) for name, value in row.items()} for row in sums]
