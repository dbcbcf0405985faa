"""All that is kept about a person, kind by kind, in plain words, as that person may see it.

What the site keeps from a person stays out of their own export too: scores that were not told yet, what a run printed on
hidden data, a review that is still being written, a check-in whose other side is not shown yet, near-copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from practicum.accounts.factors import has_factor
from practicum.accounts.models import Notice, NoticeChoice, User
from practicum.accounts.notice_selectors import settings_of
from practicum.audit.models import Record
from practicum.credentials.models import CertificateState, Portfolio
from practicum.credentials.selectors import certificates_visible_to
from practicum.evaluation.models import Run
from practicum.evaluation.standings import Standing, standings_of
from practicum.gpus.models import Lease, LeaseSample, Reservation
from practicum.internships.models import Application, Change, CheckIn, Internship, Invitation, MentorRanking
from practicum.internships.readiness_models import CheckAttempt
from practicum.internships.record_selectors import weeks_of
from practicum.persons.models import Deletion
from practicum.reviews.models import Comment, DeskVisit, Draft, Review, ReviewState
from practicum.submissions.models import Submission
from practicum.workspaces.models import ActivityReport, HelpRequest, Restoration, Session, Snapshot

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class About:
    """Whose rows, as they are to be told at this moment."""

    person: User
    now: datetime


@dataclass(frozen=True)
class Kind:
    """One JSON file: its name, what is in it, and its rows."""

    file: str
    told: str
    rows: Callable[[About], Rows]


def _each(found: Iterable[Any], **columns: Callable[[Any], Any]) -> Rows:
    return [{name: read(row) for name, read in columns.items()} for row in found]


def account(about: About) -> Rows:
    """Who they are here."""
    return _each(
        [about.person], username=lambda row: row.username, name=lambda row: row.name, email=lambda row: row.email,
        role=lambda row: row.get_role_display(), lasting_id_at_the_sign_in=lambda row: str(row.uuid),
        opened_at=lambda row: row.date_joined, last_signed_in_at=lambda row: row.last_login,
        is_switched_on=lambda row: row.is_active, has_second_factor=has_factor,
        providers_that_open_it=lambda row: [
            {"provider": each.provider, "known_there_as": each.uid, "since": each.date_joined}
            for each in row.socialaccount_set.all()
        ],
    )  # fmt: skip


def told(about: About) -> Rows:
    """How they want to be told."""
    chosen = settings_of(about.person)
    kinds = {row.kind: row for row in NoticeChoice.objects.filter(user=about.person)}
    return [
        {
            "by_email": chosen.by_email,
            "webhook_address": chosen.webhook_url,
            "daily_mail_at_hour": chosen.digest_hour,
            "kinds": [{"kind": kind, "mail": row.mail, "webhook": row.webhook} for kind, row in kinds.items()],
        }
    ]


def notices(about: About) -> Rows:
    """What they were told in the last 90 days."""
    return _each(
        Notice.objects.filter(user=about.person).prefetch_related("deliveries"),
        told_at=lambda row: row.made_at, subject=lambda row: row.subject, body=lambda row: row.body,
        page=lambda row: row.url, read_at=lambda row: row.read_at,
        sent=lambda row: [
            {"by": way.get_channel_display(), "state": way.get_state_display(), "at": way.sent_at}
            for way in row.deliveries.all()
        ],
    )  # fmt: skip


def applications(about: About) -> Rows:
    """What they sent to get in."""
    return _each(
        Application.objects.filter(applicant=about.person).select_related("cohort"),
        cohort=lambda row: row.cohort.name, sent_at=lambda row: row.sent_at, changed_at=lambda row: row.changed_at,
        state=lambda row: row.get_state_display(), reason=lambda row: row.reason, background=lambda row: row.background,
        hours_a_week=lambda row: row.hours_a_week, has=lambda row: row.prerequisites_in_words(),
        hardware=lambda row: row.get_hardware_display(), about_the_hardware=lambda row: row.hardware_note,
        wishes_to_learn=lambda row: row.wishes_in_words(), about_the_wishes=lambda row: row.wishes_note,
        projects_the_dearest_first=lambda row: row.projects_in_words(),
    )  # fmt: skip


def readiness(about: About) -> Rows:
    """The readiness checks they took, and what was reached on each bar."""
    return _each(
        CheckAttempt.objects.filter(application__applicant=about.person)
        .select_related("application__cohort", "project").prefetch_related("reached"),
        cohort=lambda row: row.application.cohort.name, check=lambda row: row.project.title, attempt=lambda row: row.number,
        numbers=lambda row: row.variant, started_at=lambda row: row.started_at, until=lambda row: row.until,
        reached=lambda row: [
            {"submission": one.submission, "scored_at": one.scored_at, "bars": one.values} for one in row.reached.all()
        ],
    )  # fmt: skip


def invitations(about: About) -> Rows:
    """Invitations they got, or sent."""
    return _each(
        Invitation.objects.filter(Q(used_by=about.person) | Q(invited_by=about.person) | Q(email__iexact=about.person.email))
        .select_related("cohort"),
        cohort=lambda row: row.cohort.name, made_at=lambda row: row.made_at, used_at=lambda row: row.used_at,
        is_yours=lambda row: row.used_by_id == about.person.pk or row.email.lower() == about.person.email.lower(),
        sent_by_you=lambda row: row.invited_by_id == about.person.pk,
    )  # fmt: skip


def rankings(about: About) -> Rows:
    """The order in which a mentor would take applicants, by the number of the application."""
    return _each(
        MentorRanking.objects.filter(mentor=about.person).select_related("cohort"),
        cohort=lambda row: row.cohort.name, applications_the_dearest_first=lambda row: row.ranked,
        changed_at=lambda row: row.changed_at,
    )  # fmt: skip


def internships(about: About) -> Rows:
    """Internships, with milestones and requests."""
    rows = Internship.objects.filter(Q(intern=about.person) | Q(mentor=about.person))
    return _each(
        rows.select_related("intern", "mentor", "cohort", "version__project").prefetch_related("milestones"),
        number=lambda row: row.pk, you_are=lambda row: "intern" if row.intern_id == about.person.pk else "mentor",
        other_side=lambda row: str(row.other_side(about.person.pk)), cohort=lambda row: row.cohort.name,
        project=lambda row: row.version.project.title, version=lambda row: row.version.number,
        state=lambda row: row.get_state_display(), first_day=lambda row: row.started_on, last_day=lambda row: row.last_day,
        completed_at=lambda row: row.completed_at,
        milestones=lambda row: [
            {"title": step.title, "due_on": step.due_on, "reached_at": step.reached_at} for step in row.milestones.all()
        ],
    )  # fmt: skip


def requests(about: About) -> Rows:
    """What was asked of the other side, and answered."""
    mine = Q(internship__intern=about.person) | Q(asked_by=about.person) | Q(answered_by=about.person)
    return _each(
        Change.objects.filter(mine).select_related("asked_by", "answered_by", "mentor"),
        internship=lambda row: row.internship_id, what=lambda row: row.what, asked_by=lambda row: str(row.asked_by),
        asked_at=lambda row: row.asked_at, reason=lambda row: row.reason, state=lambda row: row.get_state_display(),
        answer=lambda row: row.answer, answered_by=lambda row: str(row.answered_by or ""),
        answered_at=lambda row: row.answered_at,
    )  # fmt: skip


def check_ins(about: About) -> Rows:
    """The check-ins of their internships that they may read, and those they wrote."""
    found: dict[int, CheckIn] = {
        row.pk: row for row in CheckIn.objects.filter(author=about.person).select_related("author")
    }
    for internship in Internship.objects.filter(intern=about.person).select_related("intern", "mentor", "cohort"):
        for week in weeks_of(internship, viewer=about.person, now=about.now):
            found |= {row.pk: row for row in week.sides}
    return _each(
        found.values(),
        internship=lambda row: row.internship_id, week=lambda row: row.week, written_by=lambda row: str(row.author),
        written_at=lambda row: row.written_at, how_it_went=lambda row: row.went, what_comes_next=lambda row: row.following,
        stuck_on=lambda row: row.stuck,
    )  # fmt: skip


def submissions(about: About) -> Rows:
    """What they handed in, with scores as they were told."""
    mine = list(Internship.objects.filter(intern=about.person).select_related("cohort", "version__project"))
    standings = standings_of(mine)
    rows = Submission.objects.filter(internship__in=mine).select_related("version__project").prefetch_related("runs")
    return [_submission(row, standing=standings[row.internship_id or 0]) for row in rows.order_by("received_at", "pk")]


def _submission(row: Submission, *, standing: Standing) -> dict[str, Any]:
    point = standing.point_of(row.pk)
    is_told = point is not None and point.is_told
    return {
        "internship": row.internship_id,
        "number": row.number,
        "project": row.version.project.title,
        "version": row.version.number,
        "received_at": row.received_at,
        "came_by": row.get_source_display(),
        "digest_of_the_files": row.digest,
        "files": row.files,
        "score": point.value if point is not None and is_told else None,
        "about_the_score": standing.words(point) if point is not None and not is_told else "",
        "counts_on_the_board": point is not None and point == standing.counted,
        "runs": [_run(run) for run in row.runs.all()],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "attempt": run.attempt,
        "state": run.get_state_display(),
        "in_line_since": run.queued_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "reason": run.reason,
        "seconds_your_code_ran": run.predict_seconds,
        "most_memory_in_bytes": run.peak_memory_bytes,
    }


def help_requests(about: About) -> Rows:
    """Help they asked for in a running notebook, or gave."""
    rows = HelpRequest.objects.filter(Q(session__user=about.person) | Q(mentor=about.person))
    return _each(
        rows.select_related("session__user", "mentor"),
        asked_by=lambda row: str(row.session.user), mentor=lambda row: str(row.mentor), about=lambda row: row.topic,
        asked_at=lambda row: row.asked_at, opened_at=lambda row: row.opened_at, hands_allowed_at=lambda row: row.allowed_at,
        ended_at=lambda row: row.ended_at, reason=lambda row: row.reason,
    )  # fmt: skip


def reviews(about: About) -> Rows:
    """Decisions on their work, and reviews they wrote."""
    decided = Q(submission__internship__intern=about.person) & ~Q(state=ReviewState.OPEN)
    return _each(
        Review.objects.filter(decided | Q(mentor=about.person)).select_related("mentor", "submission"),
        internship=lambda row: row.submission.internship_id, submission=lambda row: row.submission.number,
        mentor=lambda row: str(row.mentor), state=lambda row: row.get_state_display(), points=lambda row: row.rubric,
        summary=lambda row: row.summary, opened_at=lambda row: row.opened_at, decided_at=lambda row: row.decided_at,
    )  # fmt: skip


def comments(about: About) -> Rows:
    """Comments on their work, and those they wrote."""
    rows = Comment.objects.filter(Q(submission__internship__intern=about.person) | Q(author=about.person))
    return _each(
        rows.select_related("author", "submission"),
        internship=lambda row: row.submission.internship_id, submission=lambda row: row.submission.number,
        written_by=lambda row: str(row.author), written_at=lambda row: row.written_at, cell=lambda row: row.cell_id,
        on_the_output=lambda row: row.on_output, text=lambda row: row.body, settled_at=lambda row: row.resolved_at,
    )  # fmt: skip


def drafts(about: About) -> Rows:
    """What a mentor typed at the desk and did not send."""
    return _each(
        Draft.objects.filter(mentor=about.person).select_related("submission"),
        internship=lambda row: row.submission.internship_id, submission=lambda row: row.submission.number,
        saved_at=lambda row: row.saved_at, texts=lambda row: row.fields,
    )  # fmt: skip


def desk_visits(about: About) -> Rows:
    """A mentor's minutes at the desk."""
    return _each(
        DeskVisit.objects.filter(mentor=about.person).select_related("submission"),
        internship=lambda row: row.submission.internship_id, submission=lambda row: row.submission.number,
        began_at=lambda row: row.began_at, last_seen_at=lambda row: row.seen_at, seconds=lambda row: row.seconds,
    )  # fmt: skip


def notebooks(about: About) -> Rows:
    """Sessions of the notebook, each with its timeline."""
    return _each(
        Session.objects.filter(user=about.person).prefetch_related("events"),
        asked_for_at=lambda row: row.requested_at, ready_at=lambda row: row.ready_at, stopped_at=lambda row: row.stopped_at,
        last_at_work_at=lambda row: row.active_at, last_commit_at=lambda row: row.committed_at,
        state=lambda row: row.get_state_display(), reason=lambda row: row.reason, lease=lambda row: str(row.lease_id),
        timeline=lambda row: [{"at": event.at, "message": event.message} for event in row.events.all()],
    )  # fmt: skip


def activity(about: About) -> Rows:
    """What notebooks told of their work, and agents of their slots, in the last hours."""
    told = _each(
        ActivityReport.objects.filter(session__user=about.person),
        at=lambda row: row.at, busy_kernels=lambda row: row.busy_kernels, processor_seconds=lambda row: row.cpu_seconds,
        in_seconds=lambda row: row.seconds,
    )  # fmt: skip
    seen = _each(
        LeaseSample.objects.filter(lease__user=about.person),
        at=lambda row: row.at, gpu_percent=lambda row: row.gpu_percent, memory_in_bytes=lambda row: row.memory_bytes,
        processes=lambda row: row.processes,
    )  # fmt: skip
    return told + seen


def snapshots(about: About) -> Rows:
    """Copies of the home that were made, and unpacked."""
    made = _each(
        Snapshot.objects.filter(internship__intern=about.person),
        made_at=lambda row: row.made_at or row.asked_at, state=lambda row: row.get_state_display(),
        reason=lambda row: row.reason, archive=lambda row: row.name, bytes=lambda row: row.bytes, sha256=lambda row: row.digest,
    )  # fmt: skip
    unpacked = _each(
        Restoration.objects.filter(user=about.person), unpacked_at=lambda row: row.finished_at or row.asked_at,
        state=lambda row: row.get_state_display(), folder=lambda row: row.folder,
    )  # fmt: skip
    return made + unpacked


def reservations(about: About) -> Rows:
    """Slots they asked for, or decided on."""
    rows = Reservation.objects.filter(Q(requested_by=about.person) | Q(decided_by=about.person)).select_related(
        "pool", "cohort"
    )
    return _each(
        rows, cohort=lambda row: row.cohort.name, pool=lambda row: row.pool.name, slots=lambda row: row.slots,
        starts_at=lambda row: row.starts_at, ends_at=lambda row: row.ends_at, purpose=lambda row: row.purpose,
        state=lambda row: row.get_state_display(), answer=lambda row: row.answer,
    )  # fmt: skip


def certificates(about: About) -> Rows:
    """What their certificates say, and who sees them."""
    told = (CertificateState.ISSUED, CertificateState.REVOKED)
    return _each(
        certificates_visible_to(about.person).filter(internship__intern=about.person, state__in=told),
        number=lambda row: str(row.pk), state=lambda row: row.get_state_display(), issued_at=lambda row: row.issued_at,
        says=lambda row: row.facts, seen_by=lambda row: row.get_visibility_display(), parts_shown=lambda row: row.parts,
        revoked_because=lambda row: row.revoked_because,
    )  # fmt: skip


def portfolio(about: About) -> Rows:
    """Their own page."""
    return _each(
        Portfolio.objects.filter(user=about.person), is_public=lambda row: row.is_public, headline=lambda row: row.headline,
        words=lambda row: row.words, changed_at=lambda row: row.changed_at,
    )  # fmt: skip


def record(about: About) -> Rows:
    """What the record says they did, and that something was done to their account."""
    to_account = Q(object_type=User._meta.label_lower, object_id=str(about.person.pk))
    return _each(
        Record.objects.filter(Q(actor=about.person) | to_account).order_by("pk").iterator(),
        at=lambda row: row.at, verb=lambda row: row.verb, to=lambda row: f"{row.object_type} {row.object_id}",
        by_you=lambda row: row.actor_id == about.person.pk,
        facts=lambda row: row.facts if row.actor_id == about.person.pk else {},
    )  # fmt: skip


def deletions(about: About) -> Rows:
    """Deletions that were asked for."""
    return _each(
        Deletion.objects.filter(user=about.person).select_related("asked_by"), asked_at=lambda row: row.asked_at,
        asked_by=lambda row: str(row.asked_by), due_at=lambda row: row.due_at, state=lambda row: row.get_state_display(),
    )  # fmt: skip


KINDS = (
    Kind("account", "who you are here", account),
    Kind("how-you-are-told", "how you chose to be told", told),
    Kind("notices", "what you were told in the last 90 days", notices),
    Kind("applications", "what you sent to get into a cohort, and what became of it", applications),
    Kind("readiness", "the readiness checks you took, and what you reached on each bar", readiness),
    Kind("invitations", "invitations that were sent to you or by you", invitations),
    Kind("rankings", "the order in which you would take applicants", rankings),
    Kind("internships", "your internships, or those you mentor, with milestones", internships),
    Kind("requests", "more time, pauses, another mentor, an early end: what was asked and answered", requests),
    Kind("check-ins", "check-ins you wrote, and those about your internships that you may read", check_ins),
    Kind("submissions", "what you handed in, its runs, and scores as you were told them", submissions),
    Kind("reviews", "decisions on your work, and reviews you wrote", reviews),
    Kind("comments", "comments on your work, and those you wrote", comments),
    Kind("drafts", "what you typed at the desk and did not send", drafts),
    Kind("desk-visits", "your minutes at the desk", desk_visits),
    Kind("notebooks", "when your notebook ran, with its timeline", notebooks),
    Kind("help", "help you asked for in a running notebook, or gave", help_requests),
    Kind("activity", "what your notebook and your slots were seen to do in the last hours", activity),
    Kind("snapshots", "copies of your files that were made, and unpacked; the archives are in snapshots/", snapshots),
    Kind("reservations", "slots you asked for, or decided on", reservations),
    Kind("certificates", "what your certificates say; the signed documents are in certificates/", certificates),
    Kind("portfolio", "your own page", portfolio),
    Kind("record", "what the record says you did, and when something was done to your account", record),
    Kind("deletions", "deletions of your data that were asked for", deletions),
)

LEASE_COLUMNS: tuple[tuple[str, Callable[[Lease], Any]], ...] = (
    ("lease", lambda row: str(row.pk)),
    ("purpose", lambda row: row.purpose),
    ("pool", lambda row: row.pool.name if row.pool else None),
    ("server", lambda row: row.slot.server.name if row.slot else None),
    ("slot", lambda row: row.slot.label if row.slot else None),
    ("state", lambda row: row.state),
    ("requested_at", lambda row: row.requested_at.isoformat()),
    ("granted_at", lambda row: row.granted_at and row.granted_at.isoformat()),
    ("closed_at", lambda row: row.closed_at and row.closed_at.isoformat()),
    ("seconds_seen", lambda row: row.seen),  # type: ignore[attr-defined]
    ("seconds_busy", lambda row: row.busy),  # type: ignore[attr-defined]
    ("reason", lambda row: row.reason),
)
