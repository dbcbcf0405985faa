"""What a certificate says, read from the rows when it is issued. What is missing is said, never made up.

The score is on the whole hidden part, from the execution that was made for the certificate; where that did not end with a
score, it is the last one there was, and the certificate says so.
"""

from __future__ import annotations

from typing import Any

from django.utils.timezone import localtime

from practicum.credentials.models import Certificate
from practicum.credentials.selectors import REPORT, report_of
from practicum.evaluation.findings import Finding, whole_finding_of
from practicum.evaluation.models import Run
from practicum.internships.models import Internship
from practicum.lib.digest import digest_bytes
from practicum.reviews.models import ReviewState
from practicum.reviews.selectors import points_of, review_of
from practicum.submissions.models import Submission

Facts = dict[str, Any]


def freeze(certificate: Certificate) -> Facts:
    """All there is to say of the internship and the work."""
    internship, submission = certificate.internship, certificate.submission
    missing: dict[str, str] = {}
    return {
        **_about(internship),
        "submission": _submission(submission, missing=missing),
        "score": _score(certificate, missing=missing),
        "rubric": _rubric(submission, missing=missing),
        "report": _report(submission, missing=missing),
        "replay": _replay(certificate, missing=missing),
        "missing": missing,
    }


def _about(internship: Internship) -> Facts:
    version = internship.version
    assert internship.completed_at is not None
    return {
        "intern": internship.intern.name,
        "mentor": internship.mentor.name,
        "cohort": internship.cohort.name,
        "started_on": internship.started_on.isoformat(),
        "completed_on": localtime(internship.completed_at).date().isoformat(),
        "project": {
            "slug": version.project.slug,
            "title": version.project.title,
            "question": version.project.question,
            "version": version.number,
            "digest": f"sha256:{version.digest}",
            "data": version.mode,
        },
        "milestones": [
            {
                "title": step.title,
                "evidence": step.evidence,
                "due_on": step.due_on.isoformat(),
                "reached_on": step.reached_at and localtime(step.reached_at).date().isoformat(),
            }
            for step in internship.milestones.order_by("position")
        ],
    }


def _submission(submission: Submission | None, *, missing: dict[str, str]) -> Facts | None:
    if submission is None:
        missing["code"] = "Nothing was handed in that the certificate could be about."
        return None
    return {
        "number": submission.number,
        "digest": f"sha256:{submission.digest}",
        "received_on": localtime(submission.received_at).date().isoformat(),
        "kind": submission.kind,
    }


def _score(certificate: Certificate, *, missing: dict[str, str]) -> Facts | None:
    submission = certificate.submission
    finding = whole_finding_of(submission) if submission is not None else None
    if submission is None or finding is None:
        missing["score"] = "There is no score: nothing that was handed in was scored."
        return None
    run = Run.objects.select_related("score").get(pk=finding.run_id)
    is_again = certificate.run is not None and run.attempt >= certificate.run.attempt
    if not is_again:
        missing["score"] = "The work was not executed again for this certificate" + (
            f": that run ended as “{certificate.run.get_state_display().lower()}”. The score is of the run before."
            if certificate.run
            else ". The score is of the last run there was."
        )
    return {
        **_measured(finding),
        **_verdict(finding),
        **_circumstances(run, finding=finding),
        "executed_again": is_again,
    }


def _measured(finding: Finding) -> Facts:
    metric, score = finding.version.metric, finding.score
    digits = int(metric["digits"])
    return {
        "metric": metric["name"],
        "goal": metric["goal"],
        "digits": digits,
        "rows": "the whole hidden test set",
        "value": score.value,
        "written": f"{score.value:.{digits}f}",
        "count": score.count,
        "interval": None if score.low is None else [score.low, score.high],
    }


def _verdict(finding: Finding) -> Facts:
    baseline, verdict = finding.baseline, finding.verdict
    return {
        "baseline": baseline
        and {"value": baseline.value, "count": baseline.count, "is_its_authors_figure": finding.is_recorded},
        "verdict": verdict
        and {
            "outcome": verdict.outcome,
            "difference": verdict.difference,
            "interval": [verdict.low, verdict.high],
            "confidence_percent": finding.percent,
            "p": verdict.p,
            "test": verdict.method.name,
            "source": verdict.method.source,
        },
    }


def _circumstances(run: Run, *, finding: Finding) -> Facts:
    return {
        "executed_on": localtime(run.score.scored_at).date().isoformat(),
        "attempt": run.attempt,
        "image": finding.version.image,
        "evaluate_digest": f"sha256:{run.evaluate_digest}" if run.evaluate_digest else None,
        "seeds": [line.seed for line in finding.seeds],
    }


def _rubric(submission: Submission | None, *, missing: dict[str, str]) -> Facts | None:
    review = review_of(submission) if submission is not None else None
    if submission is None or review is None or review.decided_at is None or review.state == ReviewState.OPEN:
        missing["rubric"] = "No mentor has decided on this work, so there are no points."
        return None
    lines = points_of(submission, review=review)
    items = [
        {"name": line.name, "question": line.question, "points": line.points, "most": line.most}
        for line in lines
        if line.points is not None
    ]
    if len(items) < len(lines):
        missing["rubric"] = f"Points were given for {len(items)} of the rubric's {len(lines)} items."
    return {
        "decision": review.state,
        "decided_on": localtime(review.decided_at).date().isoformat(),
        "items": items,
        "points": sum(line.points or 0 for line in lines),
        "most": sum(line.most for line in lines),
    }


def _report(submission: Submission | None, *, missing: dict[str, str]) -> Facts | None:
    content = report_of(submission) if submission is not None else None
    if content is None:
        missing["report"] = f"There is no {REPORT} among the files that were handed in."
        return None
    return {"file": REPORT, "digest": f"sha256:{digest_bytes(content)}"}


def _replay(certificate: Certificate, *, missing: dict[str, str]) -> Facts | None:
    replay = certificate.replay or {"reason": "The replay bundle was not run."}
    if "value" not in replay:
        missing.setdefault("code", replay["reason"])
        return None
    return {
        "value": replay["value"],
        "data": "toy data made by the project's data.py, split with a secret everybody knows",
    }
