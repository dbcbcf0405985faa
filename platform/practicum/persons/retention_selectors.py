"""What the page of a cohort's retention shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from practicum.internships.models import Cohort
from practicum.persons import retention as kept
from practicum.persons.models import Part, Removal, Retention

# What is counted of each part.
COUNTED = {Part.HOMES: "intern", Part.SNAPSHOTS: "snapshot", Part.SUBMISSIONS: "submission", Part.LOGS: "run"}


@dataclass(frozen=True)
class Outlook:
    """One part: what there is of it, when it goes, and what was told or done. ``bytes``: None where nobody measured it."""

    part: Part
    count: int
    bytes: int | None
    due_on: date | None
    removal: Removal | None

    @property
    def counted(self) -> str:
        """How much there is, in words."""
        return self._of(self.count)

    @property
    def removed(self) -> str:
        """How much went, in words."""
        return self._of(self.removal.count if self.removal else 0)

    def _of(self, count: int) -> str:
        return f"{count} {COUNTED[self.part]}{'' if count == 1 else 's'}"


def retention_of(cohort: Cohort) -> Retention | None:
    """What was set for it; None: everything is kept."""
    return Retention.objects.filter(cohort=cohort).select_related("set_by", "cohort").first()


def all_retentions() -> list[Retention]:
    """Every cohort for which something was set."""
    return list(Retention.objects.select_related("cohort").order_by("cohort__ends_on", "cohort__slug"))


def outlooks(cohort: Cohort, *, retention: Retention | None, today: date) -> list[Outlook]:
    """A line for each part."""
    removals = {row.part: row for row in Removal.objects.filter(cohort=cohort)}
    return [
        Outlook(
            part=going.part,
            count=going.count,
            bytes=going.bytes,
            due_on=kept.due(retention, going.part) if retention else None,
            removal=removals.get(going.part),
        )
        for going in kept.preview(cohort, today=today)
    ]
