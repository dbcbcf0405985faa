"""Files of submissions are gone for good; files that somebody else handed in too, byte by byte, stay."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from practicum.evaluation import executed
from practicum.evaluation.models import Run
from practicum.reviews import rendering
from practicum.submissions import store
from practicum.submissions.models import Submission


def forget_files(rows: Sequence[Submission], *, runs: QuerySet[Run]) -> None:
    """What was handed in with ``rows``, notebooks that ``runs`` executed, pages made of both; names of files. May be repeated."""
    executions = list(runs.exclude(executed=""))
    rendering.forget(rows, executions=executions)
    for run in executions:
        if not Run.objects.filter(executed=run.executed).exclude(pk__in=runs.values("pk")).exists():
            executed.forget(run.executed)
    mine = [row.pk for row in rows]
    for submission in rows:
        if not Submission.objects.filter(digest=submission.digest).exclude(pk__in=mine).exists():
            store.forget(submission.digest)
    Submission.objects.filter(pk__in=mine).update(files=[], notebook="")
