"""A readiness check as the tests publish it: two bars, eight sets of numbers, half an hour."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import datetime
from typing import Any

from practicum.catalog.models import Project, ProjectVersion
from tests.conftest import MANIFEST

READINESS: dict[str, Any] = {
    "prerequisite": "ml",
    "minutes": 30,
    "variants": 8,
    "bars": [
        {
            "name": "Repair an SGD loop",
            "metric": "sgd",
            "at_least": 0.8,
            "gap": "The gradients are added up from step to step.",
            "remedy": "remedy/sgd.ipynb",
            "reading": [{"title": "Dive into Deep Learning", "url": "https://d2l.ai", "why": "chapter 12.4"}],
        },
        {
            "name": "Bag weak learners",
            "metric": "bagging",
            "at_least": 0.5,
            "gap": "The learners vote on what they were trained on.",
            "remedy": "remedy/bagging.ipynb",
            "reading": [{"title": "Bagging predictors", "url": "https://doi.org/10.1007/BF00058655", "why": "all"}],
        },
    ],
}
NOTEBOOK = {
    "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# What a step of SGD is"}],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def publish_check(
    admin: Any, *, now: datetime, slug: str = "readiness-ml", title: str = "Ready for machine learning", **changes: Any
) -> ProjectVersion:
    """The next version of a check, with its folders; ``changes`` replace parts of ``[readiness]``."""
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"title": title, "question": "What do you know?"})
    manifest = deepcopy(MANIFEST) | {"readiness": deepcopy(READINESS) | changes}
    manifest["project"] |= {"slug": slug, "title": title}
    manifest["metric"]["name"] = "held"
    version = ProjectVersion.objects.create(
        project=project,
        number=project.versions.count() + 1,
        digest="c" * 64,
        manifest=manifest,
        mode="toy",
        image="practicum/workspace:test",
        published_at=now,
        published_by=admin,
    )
    for folder in ("project/remedy", "public"):
        (version.folder / folder).mkdir(parents=True)
    (version.folder / "project" / "README.md").write_text(f"# {title}\n")
    for bar in manifest["readiness"]["bars"]:
        (version.folder / "project" / bar["remedy"]).write_text(json.dumps(NOTEBOOK))
    return version
