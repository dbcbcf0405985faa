"""The pages of projects: what they show, and that a brief can't bring anything of its own into our pages."""

from __future__ import annotations

from typing import Any

import pytest

from practicum.catalog.brief import render_brief
from practicum.catalog.models import Project, ProjectVersion
from practicum.catalog.selectors import anchors_of, latest_versions


def test_everybody_signed_in_reads_the_projects(client_of: Any, intern: Any, version: Any) -> None:
    client = client_of(intern)
    (version.folder / "project" / "README.md").write_text("# Digits\n\nCount **pixels**.\n")

    assert "How few pixels?" in client.get("/projects/").content.decode()
    page = client.get("/projects/digits/").content.decode()

    assert "Count <strong>pixels</strong>." in page
    assert "Is the method sound?" in page
    assert "Beat the baseline" in page
    assert "majority" in page


@pytest.mark.parametrize("timed", [True, False])
def test_the_page_says_whose_clock_it_is_where_a_project_is_timed(
    client_of: Any, intern: Any, version: Any, timed: bool
) -> None:
    version.manifest = version.manifest | {"evaluation": {"seeds": 10, "retrain": True, "timed": timed}}
    version.save()

    page = client_of(intern).get("/projects/digits/").content.decode()

    assert "trained by the platform with 10 seeds" in page
    assert ("from the start of your code's container to its end" in page) is timed


def test_an_outsider_reads_nothing(client: Any, version: Any) -> None:
    assert client.get("/projects/").status_code == 302
    assert client.get("/projects/digits/").status_code == 302


def test_an_unknown_project_is_not_found(client_of: Any, intern: Any, version: Any) -> None:
    assert client_of(intern).get("/projects/unknown/").status_code == 404


def test_no_price_is_shown(client_of: Any, intern: Any, version: Any) -> None:
    page = client_of(intern).get("/projects/digits/").content.decode().lower()

    assert not [word for word in ("€", "$", "price", "cost") if word in page]


def test_the_latest_version_counts(client_of: Any, intern: Any, version: Any) -> None:
    facts = {"digest": "e" * 64, "mode": "toy", "image": "i", "published_at": version.published_at}
    ProjectVersion.objects.create(
        project=version.project, number=2, manifest=version.manifest, published_by=version.published_by, **facts
    )
    Project.objects.create(slug="unpublished", title="Unpublished", question="?")

    assert [(row.project.slug, row.number) for row in latest_versions()] == [("digits", 2)]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[link](javascript:alert(1))",
        "![picture](https://elsewhere.example/pixel.png)",
        "<iframe src='https://elsewhere.example'></iframe>",
        "<style>body{display:none}</style>",
        "<form action='https://elsewhere.example'><input></form>",
    ],
)
def test_a_brief_is_only_text(hostile: str) -> None:
    html = render_brief(f"# Title\n\nBefore\n\n{hostile}\n\nAfter\n")

    assert not [
        tag for tag in ("<script", "<img", 'javascript:"', "<iframe", "<style", "<form", 'href="java') if tag in html
    ]
    assert "Before" in html
    assert "After" in html
    assert "Title" not in html


def test_a_brief_keeps_its_tables_and_code() -> None:
    html = render_brief("| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx < 1\n```\n")

    assert "<table>" in html
    assert "x &lt; 1" in html


def test_anchors_are_those_of_the_version_s_data_best_first(version: Any) -> None:
    version.manifest["metric"] |= {"goal": "min", "worst": 10, "best": 0}
    version.manifest["anchors"] = [
        {"name": "far", "value": 8, "source": "s", "mode": "any"},
        {"name": "full only", "value": 1, "source": "s", "mode": "full"},
        {"name": "near", "value": 2, "source": "s", "mode": "toy", "baseline": True},
    ]

    rows = anchors_of(version)

    assert [(row.name, row.is_baseline, row.percent) for row in rows] == [("near", True, 20.0), ("far", False, 80.0)]
