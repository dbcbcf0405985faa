"""Questions about projects. Everybody signed in may read what is published.

Words: the *latest* version of a project is the one with the highest number; an *anchor* is a known result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from practicum.catalog.models import ProjectVersion
from practicum.errors import NotFound

LEVELS = {1: "Warm-up", 2: "Foundations", 3: "Research practice", 4: "Open research"}


@dataclass(frozen=True)
class AnchorRow:
    """A known result as the project page shows it; ``percent`` is its place between the worst and the best shown."""

    name: str
    value: float
    spread: float | None
    source: str
    is_baseline: bool
    percent: float


def latest_versions() -> QuerySet[ProjectVersion]:
    """The latest version of every project, with the project loaded, by title."""
    newest = ProjectVersion.objects.filter(project=OuterRef("project")).order_by("-number").values("pk")[:1]
    rows = ProjectVersion.objects.select_related("project").filter(pk=Subquery(newest))
    return rows.order_by("project__title")


def versions_to_work_on() -> QuerySet[ProjectVersion]:
    """The latest versions of what interns work on: readiness checks are left out."""
    return latest_versions().filter(pk__in=[row.pk for row in latest_versions() if not row.is_check])


def latest_checks() -> list[ProjectVersion]:
    """The latest versions of the readiness checks, by title."""
    return [row for row in latest_versions() if row.is_check]


def latest_version(slug: str) -> ProjectVersion:
    """The latest version of the project ``slug``.

    Raises:
        NotFound: nothing was published under this name.
    """
    version = latest_versions().filter(project__slug=slug).first()
    if version is None:
        raise NotFound("There is no project of this name.")
    return version


def level_of(version: ProjectVersion) -> str:
    """The level in words."""
    return LEVELS.get(version.manifest["project"]["level"], "")


def anchors_of(version: ProjectVersion) -> list[AnchorRow]:
    """The known results that hold on this version's data, best first."""
    held = [anchor for anchor in version.manifest["anchors"] if anchor.get("mode") in (None, "any", version.mode)]
    held.sort(key=lambda anchor: float(anchor["value"]), reverse=version.higher_is_better)
    low, high = _range_of(held, metric=version.metric)
    return [_row(anchor, low=low, high=high) for anchor in held]


def baseline_anchor(version: ProjectVersion) -> AnchorRow | None:
    """The recorded result of the project's ``baseline.py``."""
    return next((anchor for anchor in anchors_of(version) if anchor.is_baseline), None)


def _range_of(anchors: list[dict[str, Any]], *, metric: dict[str, Any]) -> tuple[float, float]:
    """The ends of the scale: from the metric's worst to its best, cut to where the anchors lie if they crowd."""
    values = [float(anchor["value"]) for anchor in anchors]
    low, high = sorted(
        (float(metric.get("worst", min(values, default=0))), float(metric.get("best", max(values, default=1))))
    )
    crowd = max(values, default=high) - min(values, default=low)
    if values and crowd and crowd < (high - low) / 4:
        low, high = max(low, min(values) - crowd / 2), min(high, max(values) + crowd / 4)
    return low, high


def _row(anchor: dict[str, Any], *, low: float, high: float) -> AnchorRow:
    value = float(anchor["value"])
    return AnchorRow(
        name=anchor["name"],
        value=value,
        spread=anchor.get("spread"),
        source=anchor["source"],
        is_baseline=bool(anchor.get("baseline", False)),
        percent=round(100 * (value - low) / (high - low), 1) if high > low else 100.0,
    )
