"""The facts of a project, read from its ``project.toml`` and checked all at once.

Pure: no Django, no network, no import of the project's code. Every fault of the file is found in one reading and named
by its TOML key, so a mentor mends the file once. A key that isn't in this module is a fault, because a misspelt key
would otherwise be a setting that silently does nothing.

Words: an *anchor* is a known result drawn as a line on the progress chart; its *mode* says on which data it holds (the
``toy`` data that needs no network, the ``full`` data, or ``any``); the anchor marked ``baseline`` is what
``baseline.py`` reaches there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from practicum.catalog.columns import Column, column_faults, read_column
from practicum.catalog.readiness import Readiness, Reading, read_readiness, read_reading, readiness_faults
from practicum.catalog.table import Table
from practicum.errors import Invalid

Goal = Literal["max", "min"]
Mode = Literal["toy", "full", "any"]

SLUG = re.compile(r"[a-z][a-z0-9-]{1,48}[a-z0-9]")
CHECKSUM = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}
POLICIES = ("generator", "fresh", "resplit")
MOST_SEEDS = 32
MOST_SNIPPETS, SNIPPET_LENGTH = 6, 400
KINDS = ("code", "notebook", "predictions")


class ManifestInvalid(Invalid):
    """project.toml has faults; ``faults`` lists every one as "key: what to mend"."""

    code = "manifest_invalid"

    def __init__(self, faults: tuple[str, ...], /) -> None:
        listed = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"project.toml has {len(faults)} fault(s):\n{listed}")
        self.faults = faults


@dataclass(frozen=True)
class About:
    """What the project is: one question, its level (1 warm-up to 4 open research) and its length."""

    slug: str
    title: str
    question: str
    level: int
    weeks: int
    prerequisites: tuple[str, ...]


@dataclass(frozen=True)
class DataFile:
    """One file that ``fetch`` downloads; ``algorithm`` is sha256, or md5 where the publisher gives no other."""

    name: str
    url: str
    bytes: int
    algorithm: str
    checksum: str


@dataclass(frozen=True)
class DataSource:
    """Where the data come from and under which licence; no files when they ship inside a Python package."""

    source: str
    licence: str
    files: tuple[DataFile, ...]


@dataclass(frozen=True)
class Split:
    """How items are hidden: the policy, what is never divided, how many, and the share whose score interns see (1: all
    of them)."""

    policy: str
    group: str
    hidden: int
    shown: float


@dataclass(frozen=True)
class SubmissionRules:
    """What is handed in. Of ``files`` one holds the predictions, of at most ``predictions_mb``, with these ``columns``;
    where they are ``ordered``, in the order of the inputs."""

    kind: str
    files: tuple[str, ...]
    columns: Mapping[str, Column]
    predictions_mb: int
    ordered: bool
    artifact_mb: int
    per_day: int


@dataclass(frozen=True)
class Metric:
    """The one number that ranks. ``noise`` is its standard error on the hidden part of the full data."""

    name: str
    goal: Goal
    noise: float
    digits: int
    worst: float
    best: float

    def better(self, score: float, *, than: float) -> bool:
        """Whether ``score`` is strictly better than ``than`` in the direction of the goal."""
        return score > than if self.goal == "max" else score < than


@dataclass(frozen=True)
class Evaluation:
    """How often each submission is evaluated, and what a difference is.

    ``seeds``: how many seeds the platform chooses for a version; the mean over them is the score. ``retrain``: a
    submission hands in ``train`` beside ``predict`` and is trained anew with each seed. ``smallest_difference``: no
    smaller one is called better or worse. ``timed``: ``evaluate`` is told how long the submission's code ran, as whoever
    ran it measured it.
    """

    seeds: int = 1
    retrain: bool = False
    smallest_difference: float = 0.0
    timed: bool = False

    @property
    def trains_with_seeds(self) -> bool:
        """``train`` takes a seed as its fourth argument."""
        return self.retrain or self.seeds > 1


@dataclass(frozen=True)
class Budget:
    """What one run may take: GPU memory and hours of training; wall seconds and host memory of an evaluation."""

    gpu_gb: float
    gpu_hours: float
    eval_seconds: int
    toy_seconds: int
    memory_gb: float


@dataclass(frozen=True)
class Anchor:
    """A known result and its source. ``spread`` is the standard deviation over runs, where there were several."""

    name: str
    value: float
    source: str
    mode: Mode
    baseline: bool
    spread: float | None


@dataclass(frozen=True)
class Milestone:
    """What must be there at the end of ``week``, and the score it asks for, if it asks for one."""

    title: str
    week: int
    evidence: str
    threshold: float | None


@dataclass(frozen=True)
class RubricItem:
    """One question a mentor answers in a review, worth up to ``points``; ``snippets``: comments worth having at hand."""

    name: str
    question: str
    points: int
    snippets: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """Everything project.toml says."""

    project: About
    data: DataSource
    split: Split
    submission: SubmissionRules
    metric: Metric
    evaluation: Evaluation
    budget: Budget
    anchors: tuple[Anchor, ...]
    milestones: tuple[Milestone, ...]
    reading: tuple[Reading, ...]
    rubric: tuple[RubricItem, ...]
    readiness: Readiness | None

    def anchors_for(self, mode: Mode) -> tuple[Anchor, ...]:
        """The anchors that hold on data of this mode, best first."""
        held = (anchor for anchor in self.anchors if anchor.mode in (mode, "any"))
        return tuple(sorted(held, key=lambda anchor: anchor.value, reverse=self.metric.goal == "max"))

    def baseline_for(self, mode: Mode) -> Anchor | None:
        """The recorded result of ``baseline.py`` on data of this mode."""
        return next((anchor for anchor in self.anchors_for(mode) if anchor.baseline), None)


def load_manifest(path: Path) -> Manifest:
    """Read ``project.toml`` (or the folder that holds it).

    Raises:
        ManifestInvalid: the file is absent, is not TOML, or has faults; all are listed with their key.
    """
    file = path / "project.toml" if path.is_dir() else path
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ManifestInvalid((f"{file.name}: there is no such readable UTF-8 file",)) from None
    return parse_manifest(content)


def parse_manifest(content: str) -> Manifest:
    """Like ``load_manifest``, from the text of the file."""
    try:
        root = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise ManifestInvalid((f"project.toml is not TOML: {error}",)) from None
    faults: list[str] = []
    top = Table(root, at="", faults=faults)
    manifest = Manifest(
        project=_about(top.table("project")),
        data=_data(top.table("data")),
        split=_split(top.table("split")),
        submission=_submission(top.table("submission")),
        metric=_metric(top.table("metric")),
        evaluation=_evaluation(top.table("evaluation")) if top.has("evaluation") else Evaluation(),
        budget=_budget(top.table("budget")),
        anchors=tuple(_anchor(row) for row in top.tables("anchors", at_least=1)),
        milestones=tuple(_milestone(row) for row in top.tables("milestones", at_least=1)),
        reading=tuple(read_reading(row) for row in top.tables("reading", at_least=1)),
        rubric=tuple(_rubric_item(row) for row in top.tables("rubric", at_least=1)),
        readiness=read_readiness(top),
    )
    top.rest()
    if not faults:
        faults.extend(_contradictions(manifest))
    if faults:
        raise ManifestInvalid(tuple(faults))
    return manifest


def _about(table: Table) -> About:
    about = About(
        slug=table.text("slug", pattern=SLUG, expected="3 to 50 of a-z, 0-9 and -, beginning with a letter"),
        title=table.text("title"),
        question=table.text("question"),
        level=table.whole("level", low=1, high=4),
        weeks=table.whole("weeks", low=1, high=52),
        prerequisites=table.texts("prerequisites"),
    )
    table.rest()
    return about


def _data(table: Table) -> DataSource:
    source, licence = table.text("source"), table.text("licence")
    files = tuple(_data_file(row) for row in table.tables("files", at_least=0))
    table.rest()
    return DataSource(source=source, licence=licence, files=files)


def _data_file(table: Table) -> DataFile:
    name = table.text("name", pattern=re.compile(r"[A-Za-z0-9][\w.-]*"), expected="a plain file name")
    url, size = table.url("url"), table.whole("bytes", low=1, high=10**13)
    algorithm = next((known for known in CHECKSUM if table.has(known)), "")
    if algorithm:
        checksum = table.text(algorithm, pattern=CHECKSUM[algorithm], expected="a checksum in lower-case hexadecimal")
    else:
        checksum = ""
        table.fault("sha256", "is missing; a file with an address must have a checksum (sha256, else md5)")
    table.rest()
    return DataFile(name=name, url=url, bytes=size, algorithm=algorithm, checksum=checksum)


def _split(table: Table) -> Split:
    split = Split(
        policy=table.choice("policy", among=POLICIES),
        group=table.text("group"),
        hidden=table.whole("hidden", low=1, high=10**9),
        shown=table.real("shown", low=0.0, high=1.0),
    )
    if split.shown == 0.0 and not any(fault.startswith("split.shown") for fault in table.faults):
        table.fault("shown", "must be above 0: the share of the hidden rows whose score interns see")
    table.rest()
    return split


def _submission(table: Table) -> SubmissionRules:
    kind, files = table.choice("kind", among=KINDS), table.texts("files")
    columns = table.table("columns")
    typed = {name: read_column(columns, name) for name in tuple(columns.left)}
    if kind == "predictions" and not files:
        table.fault("files", "must name the files of predictions, such as predictions.csv")
    if not typed:
        table.fault("columns", "must name each column of the predictions and its type")
    rules = SubmissionRules(
        kind=kind,
        files=files,
        columns=typed,
        predictions_mb=table.whole("predictions_mb", low=1, high=1024) if table.has("predictions_mb") else 8,
        ordered=table.has("ordered") and table.flag("ordered"),
        artifact_mb=table.whole("artifact_mb", low=0, high=100_000),
        per_day=table.whole("per_day", low=1, high=1000),
    )
    table.rest()
    return rules


def _metric(table: Table) -> Metric:
    goal: Goal = "max" if table.choice("goal", among=("max", "min")) == "max" else "min"
    metric = Metric(
        name=table.text("name", pattern=re.compile(r"[a-z][a-z0-9_]*"), expected="a name of a-z, 0-9 and _"),
        goal=goal,
        noise=table.real("noise", low=0.0),
        digits=table.whole("digits", low=0, high=8),
        worst=table.real("worst"),
        best=table.real("best"),
    )
    table.rest()
    return metric


def _evaluation(table: Table) -> Evaluation:
    evaluation = Evaluation(
        seeds=table.whole("seeds", low=1, high=MOST_SEEDS) if table.has("seeds") else 1,
        retrain=table.has("retrain") and table.flag("retrain"),
        smallest_difference=table.real("smallest_difference", low=0.0) if table.has("smallest_difference") else 0.0,
        timed=table.has("timed") and table.flag("timed"),
    )
    if evaluation.seeds == 2:
        table.fault("seeds", "must be 1, or at least 3: two values are too few for a test")
    table.rest()
    return evaluation


def _budget(table: Table) -> Budget:
    budget = Budget(
        gpu_gb=table.real("gpu_gb", low=0.0, high=10_000),
        gpu_hours=table.real("gpu_hours", low=0.0, high=100_000),
        eval_seconds=table.whole("eval_seconds", low=1, high=86_400),
        toy_seconds=table.whole("toy_seconds", low=1, high=600),
        memory_gb=table.real("memory_gb", low=0.1, high=10_000),
    )
    table.rest()
    return budget


def _anchor(table: Table) -> Anchor:
    mode: Mode = "any"
    if table.has("mode"):
        mode = "toy" if table.choice("mode", among=("full", "toy")) == "toy" else "full"
    anchor = Anchor(
        name=table.text("name"),
        value=table.real("value"),
        source=table.text("source", expected="an address, or what was measured, on what, when and how often"),
        mode=mode,
        baseline=table.has("baseline")
        and table.take("baseline", valid=lambda given: given or None, expected="true", default=False) is True,
        spread=table.real("spread", low=0.0) if table.has("spread") else None,
    )
    table.rest()
    return anchor


def _milestone(table: Table) -> Milestone:
    milestone = Milestone(
        title=table.text("title"),
        week=table.whole("week", low=1, high=52),
        evidence=table.text("evidence"),
        threshold=table.real("threshold") if table.has("threshold") else None,
    )
    table.rest()
    return milestone


def _rubric_item(table: Table) -> RubricItem:
    item = RubricItem(
        name=table.text("name"),
        question=table.text("question"),
        points=table.whole("points", low=1, high=1000),
        snippets=_snippets(table) if table.has("snippets") else (),
    )
    table.rest()
    return item


def _snippets(table: Table) -> tuple[str, ...]:
    texts = tuple(text.strip() for text in table.texts("snippets"))
    if len(texts) > MOST_SNIPPETS:
        table.fault("snippets", f"must be at most {MOST_SNIPPETS} texts; those that mentors keep are shown beside them")
    for place, text in enumerate(texts):
        if len(text) > SNIPPET_LENGTH:
            table.fault(f"snippets[{place}]", f"must be at most {SNIPPET_LENGTH} characters; it has {len(text)}")
        if text in texts[:place]:
            table.fault(f"snippets[{place}]", "is there twice")
    return texts


def _contradictions(manifest: Manifest) -> list[str]:
    """Faults that only show when the tables are read together."""
    metric = manifest.metric
    faults = []
    if not metric.better(metric.best, than=metric.worst):
        faults.append(f"metric.best: must be better than metric.worst when the goal is {metric.goal}")
    if manifest.split.shown < 1.0 and "id" not in manifest.submission.columns:
        faults.append(
            "split.shown: must be 1.0 without a column id among submission.columns: rows are told apart by id"
        )
    if manifest.split.shown < 1.0 and not metric.noise:
        faults.append("metric.noise: must be above 0 when split.shown is below 1: it is the step of the leaderboard")
    low, high = sorted((metric.worst, metric.best))
    for place, anchor in enumerate(manifest.anchors):
        if not low <= anchor.value <= high:
            faults.append(f"anchors[{place}].value: must lie between metric.worst and metric.best")
        if anchor.source.startswith("measured") and re.search(r"\bn\s*=\s*\d+", anchor.source) is None:
            faults.append(f"anchors[{place}].source: a measured value says how often it was measured (n = ...)")
    if manifest.evaluation.trains_with_seeds and manifest.submission.kind != "code":
        faults.append("evaluation: seeds and retrain are for submissions of code; predictions are evaluated once")
    if manifest.evaluation.timed and manifest.submission.kind != "code":
        faults.append("evaluation.timed: is for submissions of code, which the platform runs")
    if manifest.evaluation.trains_with_seeds and not manifest.budget.gpu_hours:
        faults.append("budget.gpu_hours: must be more than 0 where the platform trains with seeds")
    faults.extend(_baseline_faults(manifest))
    weeks = [milestone.week for milestone in manifest.milestones]
    if weeks != sorted(weeks) or weeks[-1] > manifest.project.weeks:
        faults.append("milestones: must be in the order of their weeks and end within project.weeks")
    faults.extend(column_faults(manifest.submission.columns, files=manifest.submission.files))
    names = [item.name for item in manifest.rubric]
    if len(set(names)) != len(names):
        faults.append("rubric: two items have the same name")
    faults.extend(readiness_faults(manifest.readiness, metric=metric.name))
    return faults


def _baseline_faults(manifest: Manifest) -> list[str]:
    faults = []
    for mode in ("toy", "full"):
        held = [anchor for anchor in manifest.anchors if anchor.baseline and anchor.mode in (mode, "any")]
        if mode == "toy" and len(held) != 1:
            faults.append("anchors: exactly one anchor that holds on the toy data must say baseline = true")
        if mode == "full" and len(held) > 1:
            faults.append("anchors: two anchors say baseline = true for the full data")
        worst, best = manifest.metric.worst, manifest.metric.best
        if any(anchor.value in (worst, best) for anchor in held):
            faults.append("anchors: the baseline must lie inside (metric.worst, metric.best)")
    return faults
