"""What people decide about a leaderboard: which submission counts, when it closes, names hidden, final scores released.

An intern chooses until the close, by the site's clock, or until their own under an extension; after it nobody can. Mentors
and admins set the close while it lies ahead, and release the final scores after it. Each of these is on record.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils.timezone import localtime

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.audit.services import record
from practicum.catalog.models import Project
from practicum.errors import Conflict, Invalid, NotFound
from practicum.evaluation.closing import Terms, end_of, terms_on
from practicum.evaluation.models import OPEN_RUN_STATES, FinalChoice, Leaderboard, Run, Score
from practicum.internships.models import GOING_ON, Cohort, Internship
from practicum.submissions.models import Submission


@transaction.atomic
def choose_final(submission: Submission, *, actor: User, now: datetime) -> None:
    """The submission is the one its intern is ranked by. May be changed until the close.

    Raises:
        NotFound: it is not theirs.
        Conflict: the board has closed, it was received after that, or it has no score.
    """
    if submission.internship_id is None:
        raise NotFound
    internship = (
        Internship.objects.select_for_update(of=("self",))
        .select_related("cohort", "version__project")
        .filter(pk=submission.internship_id)
        .first()
    )
    if internship is None or internship.intern_id != actor.pk:
        raise NotFound
    _check_open(terms_on(internship.cohort, project=internship.version.project).of(internship), now=now)
    if not Score.objects.filter(run__submission=submission).exists():
        raise Conflict("It has no score, so it can't count.")
    before = FinalChoice.objects.filter(internship=internship).values_list("submission_id", flat=True).first()
    if before == submission.pk:
        return
    FinalChoice.objects.update_or_create(internship=internship, defaults={"submission": submission, "chosen_at": now})
    record("submission.chosen_final", subject=submission, actor=actor, now=now, before=before)


@transaction.atomic
def set_close(cohort: Cohort, *, project: Project, closes_at: datetime | None, actor: User, now: datetime) -> None:
    """The board closes then; None: at the end of the cohort's last day.

    Raises:
        Conflict: it has closed already.
        Invalid: the time lies in the past.
    """
    row = _locked(cohort, project=project)
    _check_open(terms_on(cohort, project=project), now=now)
    if (closes_at or end_of(cohort)) <= now:
        raise Invalid("Choose a time that lies ahead.", field="closes_at")
    before, row.closes_at = row.closes_at, closes_at
    row.save(update_fields=["closes_at"])
    told = {name: moment and moment.isoformat() for name, moment in (("before", before), ("after", closes_at))}
    record("leaderboard.close_set", subject=row, actor=actor, now=now, **told)


@transaction.atomic
def hide_names(cohort: Cohort, *, project: Project, hidden: bool, actor: User, now: datetime) -> None:
    """Interns see neutral names on the board, or names again. Their own they always see."""
    row = _locked(cohort, project=project)
    if (row.hidden_through is not None) == hidden:
        return
    newest = Internship.objects.filter(cohort=cohort, version__project=project).aggregate(newest=Max("pk"))["newest"]
    row.hidden_through = (newest or 0) if hidden else None
    row.save(update_fields=["hidden_through"])
    record(f"leaderboard.names_{'hidden' if hidden else 'shown'}", subject=row, actor=actor, now=now)


@transaction.atomic
def release_final(cohort: Cohort, *, project: Project, actor: User, now: datetime) -> None:
    """Interns see the final scores and ranks from now on, and are told so.

    Raises:
        Conflict: the board is still open, for an intern under an extension too, is released already, or an evaluation that
            belongs to it has not ended.
    """
    row = _locked(cohort, project=project)
    terms = terms_on(cohort, project=project)
    if not terms.is_closed(now=now):
        raise Conflict(f"The board closes on {_written(terms.closes_at)}; final scores can be released after that.")
    if terms.is_released:
        raise Conflict("The final scores are released already.")
    of_board = list(
        Internship.objects.filter(cohort=cohort, version__project=project).select_related("intern", "cohort")
    )
    closes_at = {internship.pk: terms.of(internship).closes_at for internship in of_board}
    _check_extensions(of_board, closes_at=closes_at, now=now)
    evaluated = Run.objects.filter(submission__internship__in=of_board, state__in=OPEN_RUN_STATES)
    received = evaluated.values_list("submission__internship", "submission__received_at")
    open_runs = sum(at < closes_at[pk] for pk, at in received if pk is not None)
    if open_runs:
        raise Conflict(
            f"{open_runs} submission{'s' if open_runs != 1 else ''} received before the close "
            f"{'are' if open_runs != 1 else 'is'} still being evaluated. Release the final scores once they have ended."
        )
    row.released_at, row.closes_at = now, terms.closes_at
    row.save(update_fields=["released_at", "closes_at"])
    record("leaderboard.released", subject=row, actor=actor, now=now, closes_at=terms.closes_at.isoformat())
    for internship in of_board:
        _tell_released(internship, board=row, project=project, now=now)


def _check_extensions(internships: list[Internship], *, closes_at: dict[int, datetime], now: datetime) -> None:
    """Final scores are on rows nobody has been told of: whoever may still choose must not learn them.

    Raises:
        Conflict: an internship that goes on has time left on this board.
    """
    left = [closes_at[row.pk] for row in internships if row.state in GOING_ON and closes_at[row.pk] > now]
    if left:
        raise Conflict(
            f"{len(left)} intern{'s have' if len(left) != 1 else ' has'} more time under an extension, the last until "
            f"{_written(max(left))}. Final scores can be released after that."
        )


def _tell_released(internship: Internship, *, board: Leaderboard, project: Project, now: datetime) -> None:
    notify(
        internship.intern,
        kind="leaderboard.released",
        subject=f"The leaderboard of {project.title} is final",
        body=f"The final scores of {project.title} are released.\nSee your place and the score on all hidden rows.",
        path=reverse("evaluation:leaderboard", args=[project.slug]),
        key=f"leaderboard.released:{board.pk}:{internship.pk}",
        now=now,
    )


def _locked(cohort: Cohort, *, project: Project) -> Leaderboard:
    Leaderboard.objects.get_or_create(cohort=cohort, project=project)
    return Leaderboard.objects.select_for_update().get(cohort=cohort, project=project)


def _check_open(terms: Terms, *, now: datetime) -> None:
    """Raises: Conflict: the board has closed."""
    if terms.is_closed(now=now):
        raise Conflict(f"The board closed on {_written(terms.closes_at)}. What counts can't be changed any more.")


def _written(moment: datetime) -> str:
    return f"{localtime(moment):%-d %B %Y at %H:%M}"
