"""What people are told about applications and internships."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.internships.models import (
    Application,
    ApplicationState,
    Change,
    ChangeState,
    CheckIn,
    Internship,
    Placement,
)


def received(application: Application, *, now: datetime) -> None:
    """The applicant has it in writing that the application is there."""
    cohort = application.cohort
    notify(
        application.applicant,
        kind="application.received",
        subject=f"Your application to {cohort} is here",
        body=f"You may change or withdraw it until {cohort.apply_until:%-d %B %Y}. You are told here when it is answered.",
        path=reverse("internships:apply", args=[cohort.slug]),
        key=f"application.received:{application.pk}",
        now=now,
    )


def answered(application: Application, *, now: datetime) -> None:
    """The applicant reads what became of it, and why."""
    cohort = application.cohort
    subjects = {
        ApplicationState.OFFERED: f"You have a place in {cohort}",
        ApplicationState.WAITLISTED: f"You are on the waiting list of {cohort}",
        ApplicationState.DECLINED: f"You have no place in {cohort}",
    }
    bodies = {
        ApplicationState.OFFERED: "You are told your project and your mentor once they are chosen.\n"
        "If you can't come, withdraw: somebody waits for your place.",
        ApplicationState.WAITLISTED: "All places are taken. You move up as soon as one is free, and are told so.",
        ApplicationState.DECLINED: f"The reason: {application.reason}",
    }
    state = ApplicationState(application.state)
    notify(
        application.applicant,
        kind=f"application.{state}",
        subject=subjects[state],
        body=bodies[state],
        path=reverse("internships:apply", args=[cohort.slug]),
        key=f"application.{state}:{application.pk}:{now.isoformat()}",
        now=now,
    )


def placed(internship: Internship, *, why: str, now: datetime) -> None:
    """The intern reads project, mentor, first day, and why it is this."""
    project, cohort = internship.version.project, internship.cohort
    notify(
        internship.intern,
        kind="matching.placed",
        subject=f"Your project in {cohort}: {project}",
        body=f"Your mentor is {internship.mentor}. It begins on {cohort.starts_on:%-d %B %Y}.\n{why}",
        path=reverse("portal:home"),
        key=f"matching.placed:{internship.pk}",
        now=now,
    )


def not_placed(application: Application, *, why: str, now: datetime) -> None:
    """Somebody with a place in the cohort has no project yet, and reads why."""
    notify(
        application.applicant,
        kind="matching.not_placed",
        subject=f"No project in {application.cohort} yet",
        body=why,
        path=reverse("internships:apply", args=[application.cohort.slug]),
        key=f"matching.not_placed:{application.pk}:{now.isoformat()}",
        now=now,
    )


def interns_placed(mentor: User, placements: list[Placement], *, now: datetime) -> None:
    """A mentor reads who comes."""
    cohort = placements[0].application.cohort
    lines = "\n".join(f"{row.application.applicant}: {row.offer.project}" for row in placements if row.offer)
    notify(
        mentor,
        kind="matching.interns",
        subject=f"Your interns in {cohort}",
        body=f"{lines}\nThe order you gave the applicants and the order they gave the projects decided it.",
        path=reverse("portal:home"),
        key=f"matching.interns:{cohort.pk}:{now.isoformat()}",
        now=now,
    )


def asked(change: Change, *, now: datetime) -> None:
    """The other side reads what is asked for, and why."""
    internship = change.internship
    notify(
        internship.other_side(change.asked_by_id),
        kind="change.asked",
        subject=f"{change.asked_by} asks: {change.what}",
        body=f"{change.reason}\nAnswer within three days; after that an admin may answer for you.",
        path=reverse("internships:record", args=[internship.pk]),
        key=f"change.asked:{change.pk}",
        now=now,
    )


def replied(change: Change, *, now: datetime) -> None:
    """Who asked reads the answer; where an admin gave it, the side that was silent does too."""
    internship = change.internship
    is_agreed = change.state == ChangeState.AGREED
    for person in {internship.intern, internship.mentor, change.asked_by} - {change.answered_by}:
        notify(
            person,
            kind="change.answered",
            subject=f"{'Agreed' if is_agreed else 'Refused'}: {change.what}",
            body=f"{change.answered_by} answered.\n{change.answer}",
            path=reverse("internships:record", args=[internship.pk]),
            key=f"change.answered:{change.pk}",
            now=now,
        )


def became_mentor(change: Change, *, now: datetime) -> None:
    """The new mentor reads whom they have from now on."""
    assert change.mentor is not None
    notify(
        change.mentor,
        kind="change.mentor",
        subject=f"You are the mentor of {change.internship.intern}",
        body=f"{change.internship.version.project}, in {change.internship.cohort}.",
        path=reverse("portal:internship", args=[change.internship_id]),
        key=f"change.mentor:{change.pk}",
        now=now,
    )


def resumed(internship: Internship, *, by: User, now: datetime) -> None:
    """Both sides know that the pause is over, but for who ended it."""
    for person in {internship.intern, internship.mentor} - {by}:
        notify(
            person,
            kind="internship.resumed",
            subject="The internship goes on",
            body=f"{by} ended the pause. What lies ahead has moved by the days of the pause.",
            path=reverse("internships:record", args=[internship.pk]),
            key=f"internship.resumed:{internship.pk}:{now.isoformat()}",
            now=now,
        )


def checked_in(row: CheckIn, *, is_complete: bool, now: datetime) -> None:
    """The other side knows there is something to write, or to read."""
    internship = row.internship
    other = internship.intern if row.is_mentors else internship.mentor
    notify(
        other,
        kind="check_in.written",
        subject=f"{row.author} wrote the check-in of week {row.week}",
        body="You can read it now." if is_complete else "Write yours in five minutes; then you can read it.",
        path=reverse("internships:record", args=[internship.pk]),
        key=f"check_in.written:{row.pk}",
        now=now,
    )


def wrote(internship: Internship, *, by: User, text: str, key: str, now: datetime) -> None:
    """The other side reads a message and may answer where it is kept."""
    notify(
        internship.other_side(by.pk),
        kind="internship.message",
        subject=f"{by} writes to you",
        body=text,
        path=reverse("internships:record", args=[internship.pk]),
        key=f"internship.message:{key}",
        now=now,
    )


def completed(internship: Internship, *, now: datetime) -> None:
    """The intern reads that it is done, and that a certificate comes."""
    notify(
        internship.intern,
        kind="internship.completed",
        subject=f"Your internship in {internship.cohort} is completed",
        body="Your work is executed once more, and your certificate is made of what it comes to. You are told when it is there.",
        path=reverse("portal:internship", args=[internship.pk]),
        key=f"internship.completed:{internship.pk}",
        now=now,
    )
