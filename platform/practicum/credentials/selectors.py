"""Questions about certificates. ``shown_to`` is the one gate to what others see.

Who may see all of a certificate: its intern, its mentor, admins. Anybody may see the parts that its intern shows, of one
that is not private. To everybody else it does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from practicum.accounts.models import Role, User
from practicum.credentials import rules
from practicum.credentials.models import Certificate, CertificateState, Portfolio, Visibility
from practicum.errors import NotFound
from practicum.evaluation.closing import terms_on
from practicum.internships.selectors import internships_visible_to
from practicum.lib.files import read_regular
from practicum.submissions.models import Submission

REPORT = "report.md"
LONGEST_REPORT_BYTES = 200_000
TOLD_STATES = (CertificateState.ISSUED, CertificateState.REVOKED)
WITH_ALL = (
    "internship__intern",
    "internship__mentor",
    "internship__cohort",
    "internship__version__project",
    "submission",
)


@dataclass(frozen=True)
class Shown:
    """A certificate as its viewer may see it. ``is_party``: it is theirs, or they are its mentor or an admin."""

    certificate: Certificate
    parts: list[str]
    is_party: bool

    @property
    def facts(self) -> Mapping[str, Any]:
        """What was frozen, as far as it is shown."""
        return rules.told(self.certificate.facts, parts=self.parts)

    def has(self, part: str) -> bool:
        """This part is shown."""
        return part in self.parts

    @property
    def is_issued(self) -> bool:
        """It is there to be read: issued, and perhaps revoked since."""
        return self.certificate.state in TOLD_STATES


def certificates_visible_to(user: User) -> QuerySet[Certificate]:
    """The certificates whose every part ``user`` may see, the newest first."""
    internships = internships_visible_to(user).values("pk")
    return _readable().filter(internship__in=internships).select_related(*WITH_ALL)


def certificate_for(user: User, *, certificate_id: UUID) -> Certificate:
    """The certificate, if ``user`` may see all of it.

    Raises:
        NotFound: there is none, or it is not theirs to see.
    """
    found = certificates_visible_to(user).filter(pk=certificate_id).first()
    if found is None:
        raise NotFound
    return found


def shown_to(viewer: User | AnonymousUser, *, certificate_id: UUID) -> Shown:
    """The certificate as ``viewer`` may see it.

    Raises:
        NotFound: there is none, or nothing of it is shown to them.
    """
    if isinstance(viewer, User):
        own = certificates_visible_to(viewer).filter(pk=certificate_id).first()
        if own is not None:
            return Shown(own, parts=list(rules.PARTS), is_party=True)
    return as_others_see(certificate_id)


def as_others_see(certificate_id: UUID) -> Shown:
    """The certificate as anybody may see it.

    Raises:
        NotFound: there is none, or it is private.
    """
    rows = Certificate.objects.filter(state__in=TOLD_STATES).exclude(visibility=Visibility.PRIVATE)
    found = rows.select_related(*WITH_ALL).filter(pk=certificate_id).first()
    if found is None:
        raise NotFound
    return Shown(found, parts=rules.check_parts(found.parts), is_party=False)


def certificate_of(internship_id: int) -> Certificate | None:
    """The certificate of an internship, if one was begun. The gate is below: whoever asks may see the internship."""
    return _readable().filter(internship=internship_id).first()


def _readable() -> QuerySet[Certificate]:
    """All but those whose holder had their data deleted: nothing stands on them any more."""
    return Certificate.objects.exclude(state=CertificateState.REVOKED, facts={})


@dataclass(frozen=True)
class Hold:
    """The final score may not be told yet: the leaderboard closes then, or has closed and waits to be released."""

    closes_at: datetime
    is_closed: bool


def hold_of(certificate: Certificate, *, now: datetime) -> Hold | None:
    """What holds an issue back: final scores that are not released. None where the project has no kept rows, where they
    are released, or where a mentor decided that this one may be told.
    """
    internship = certificate.internship
    if not internship.version.is_divided or certificate.may_be_early:
        return None
    terms = terms_on(internship.cohort, project=internship.version.project).of(internship)
    return None if terms.is_released else Hold(terms.closes_at, is_closed=terms.is_closed(now=now))


def report_of(submission: Submission) -> bytes | None:
    """The report that was handed in; None where there is none."""
    content = read_regular(submission.folder, REPORT, most=LONGEST_REPORT_BYTES)
    return content if content and content.strip() else None


def portfolio_of(user: User) -> Portfolio | None:
    """The intern's own page as they left it, if they ever saved one."""
    return Portfolio.objects.filter(user=user).first()


@dataclass(frozen=True)
class PublicPortfolio:
    """A portfolio as anybody sees it."""

    portfolio: Portfolio
    certificates: list[Shown]


def public_portfolio(username: str) -> PublicPortfolio:
    """The page of an intern who has made it public, with the certificates they listed.

    Raises:
        NotFound: there is none.
    """
    row = (
        Portfolio.objects.select_related("user")
        .filter(user__username=username, user__role=Role.INTERN, is_public=True)
        .first()
    )
    if row is None:
        raise NotFound
    listed = Certificate.objects.filter(
        internship__intern=row.user, state=CertificateState.ISSUED, visibility=Visibility.LISTED
    )
    shown = [
        Shown(one, parts=rules.check_parts(one.parts), is_party=False)
        for one in listed.select_related(*WITH_ALL).order_by("-issued_at")
    ]
    return PublicPortfolio(row, shown)
