"""What people are told about applications and internships."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from practicum.accounts.models import User
from practicum.accounts.notices import notify
from practicum.internships.models import Application, ApplicationState, Internship, Placement


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
