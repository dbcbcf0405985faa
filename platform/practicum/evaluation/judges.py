"""Which evaluate.py scores a submission: its own version's, or that of a later one whose metric was mended.

A mentor who mends ``evaluate.py`` publishes the project, which makes a new version. Submissions stay pinned to theirs;
``services.rescore`` evaluates one again, with the new file as its *judge*.
"""

from __future__ import annotations

from practicum.catalog.models import ProjectVersion
from practicum.errors import Conflict
from practicum.lib.digest import digest_bytes
from practicum.submissions.models import Submission


def evaluate_digest_of(version: ProjectVersion) -> str:
    """Which evaluate.py this version has, by its content; empty where it has none any more."""
    file = version.folder / "project" / "evaluate.py"
    return digest_bytes(file.read_bytes()) if file.is_file() else ""


def newer_judge(submission: Submission) -> ProjectVersion | None:
    """The latest version of the project, where its evaluate.py is another than that of the last evaluation; else None."""
    last = submission.runs.select_related("judge__project").order_by("-attempt").first()
    before = (last.judge if last else None) or submission.version
    latest = (
        ProjectVersion.objects.select_related("project").filter(project=before.project_id).order_by("-number").first()
    )
    if latest is None or latest.pk == before.pk or latest.number < before.number:
        return None
    found = evaluate_digest_of(latest)
    return latest if found and found != evaluate_digest_of(before) else None


def check_measures_the_same(judge: ProjectVersion, version: ProjectVersion) -> None:
    """Raises: Conflict: the judge's metric has another name or goal; scores could not be compared."""
    for part in ("name", "goal"):
        if judge.metric[part] != version.metric[part]:
            raise Conflict(
                f"Version {judge.number} measures {judge.metric['name']} (goal {judge.metric['goal']}), not "
                f"{version.metric['name']} (goal {version.metric['goal']}); it can't score what was handed in before."
            )
