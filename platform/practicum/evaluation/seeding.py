"""With which seeds a submission is evaluated, and whether the platform trains it. Every answer is the same each time.

The seeds of a version are fixed, so that the baseline and all submissions have the same ones; they are drawn with the
site's secret, so that nobody knows them before the first run.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from practicum.catalog.manifest import Evaluation
from practicum.catalog.models import Mode, ProjectVersion
from practicum.submissions.models import Submission

SEEDS_BELOW = 2**31


@dataclass(frozen=True)
class Plan:
    """The seeds of an evaluation, in order; (None,): it is evaluated once and told no seed. ``train_seconds`` is the
    budget of each training, 0 where what was handed in is what predicts. ``is_timed``: the scorer is told how long each
    seed's code ran.
    """

    seeds: tuple[int | None, ...]
    train_seconds: float = 0.0
    is_timed: bool = False

    @property
    def is_several(self) -> bool:
        """It has a result for each seed, and a mean over them."""
        return len(self.seeds) > 1

    @property
    def trains(self) -> bool:
        """The submission is trained anew with each seed."""
        return self.train_seconds > 0


def plan_of(submission: Submission) -> Plan:
    """How this submission is evaluated. A baseline is trained with every seed even where submissions are not."""
    version = submission.version
    asked = asked_of(version)
    trains = asked.retrain or (submission.is_baseline and asked.seeds > 1)
    if not asked.trains_with_seeds:
        return Plan(seeds=(None,), is_timed=asked.timed)
    seconds = training_seconds(version) if trains else 0.0
    return Plan(seeds=seeds_of(version), train_seconds=seconds, is_timed=asked.timed)


def asked_of(version: ProjectVersion) -> Evaluation:
    """What the version's project asks of an evaluation; versions published before it could ask for anything ask for 1."""
    asked: dict[str, Any] = version.manifest.get("evaluation") or {}
    return Evaluation(**asked)


def seeds_of(version: ProjectVersion) -> tuple[int, ...]:
    """The version's seeds: each from 0 to 2^31 - 1, no two the same."""
    key = f"{settings.PRACTICUM_SPLIT_SECRET} seeds".encode()
    found: list[int] = []
    place = 0
    while len(found) < asked_of(version).seeds:
        drawn = hmac.new(key, f"{version.project.slug} {version.digest} {place}".encode(), hashlib.sha256).digest()
        seed = int.from_bytes(drawn[:8], "big") % SEEDS_BELOW
        found += [] if seed in found else [seed]
        place += 1
    return tuple(found)


def training_seconds(version: ProjectVersion) -> float:
    """What the project allows a training: the toy budget on toy data, else its hours."""
    budget = version.manifest["budget"]
    return float(budget["toy_seconds"]) if version.mode == Mode.TOY else float(budget["gpu_hours"]) * 3600
