"""The pages of projects: all of them, and one with its brief."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from practicum.accounts.access import PersonRequest, signed_in
from practicum.catalog import selectors
from practicum.catalog.brief import read_brief


@signed_in
@require_safe
def projects(request: PersonRequest) -> HttpResponse:
    """Every published project as a card; readiness checks below."""
    cards = [
        {"version": version, "about": version.manifest["project"], "level": selectors.level_of(version)}
        for version in selectors.versions_to_work_on()
    ]
    return render(request, "catalog/projects.html", {"cards": cards, "checks": selectors.latest_checks()})


@signed_in
@require_safe
def project(request: PersonRequest, slug: str) -> HttpResponse:
    """One project: its brief, and every fact of its manifest. Time on a GPU is told in hours, never as a price."""
    version = selectors.latest_version(slug)
    facts = {
        "version": version,
        "project": version.project,
        "manifest": version.manifest,
        "level": selectors.level_of(version),
        "anchors": selectors.anchors_of(version),
        "points": sum(item["points"] for item in version.manifest["rubric"]),
        "brief": read_brief(version.folder / "project"),
    }
    return render(request, "catalog/project.html", facts)
