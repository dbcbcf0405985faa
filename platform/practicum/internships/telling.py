"""What people are told about applications and internships."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from practicum.accounts.notices import notify
from practicum.internships.models import Application, ApplicationState


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
