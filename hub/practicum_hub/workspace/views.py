"""Results as a notebook shows them: HTML that follows JupyterLab's theme, with plain text beside it.

Every word of the site goes through ``html.escape``. Colours are JupyterLab's CSS variables with a fallback.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape

from practicum_hub.workspace import errors, wording
from practicum_hub.workspace.answers import Metric, Status, Submission

COLOURS = {
    "good": "var(--jp-success-color1, #2e7d32)",
    "bad": "var(--jp-error-color1, #c62828)",
    "busy": "var(--jp-info-color1, #0277bd)",
}
BOX = (
    "border-left: 4px solid {colour}; padding: 6px 12px; margin: 4px 0; max-width: 46em; "
    "color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif)"
)
TABLE = "margin: 6px 0 0; border-collapse: collapse; background: none; color: inherit; font-size: inherit"
CELL = "text-align: left; vertical-align: top; padding: 2px 14px 2px 0; background: none; font-weight: normal"
DIM = "color: var(--jp-ui-font-color2, #616161); font-size: 0.92em"


class SubmissionView:
    """One submission: state, score against the baseline, what went along."""

    def __init__(self, submission: Submission, *, metric: Metric, summary: str = "", notes: Iterable[str] = ()) -> None:
        self.submission, self.metric, self.summary, self.notes = submission, metric, summary, tuple(notes)

    def __repr__(self) -> str:
        lines = [wording.outcome(self.submission, metric=self.metric), self.submission.url, self.summary, *self.notes]
        return "\n".join(line for line in lines if line)

    def _repr_html_(self) -> str:
        one = self.submission
        figures = wording.score(one, metric=self.metric)
        lines = [
            f"<div><strong>Submission #{one.number}</strong> · {escape(wording.state(one))}"
            + (f" · <strong>{escape(figures)}</strong>" if figures else "")
            + "</div>",
            f"<div>{_link(one.url, 'Open its page')}</div>",
        ]
        lines += [f'<div style="{DIM}">{escape(text)}</div>' for text in (self.summary, *self.notes) if text]
        return _box(lines, colour=COLOURS[wording.tone(one)])


class StatusView:
    """Where an intern stands."""

    def __init__(self, status: Status, *, now: datetime) -> None:
        self.status, self.now = status, now

    def __repr__(self) -> str:
        return "\n".join(wording.status(self.status, now=self.now))

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr><th scope="row" style="{CELL}; {DIM}">{escape(name)}</th><td style="{CELL}">{escape(words)}</td></tr>'
            for name, words in wording.standing(self.status, now=self.now)
        )
        shown = self.status.submissions[: wording.SHOWN_SUBMISSIONS]
        rows = "".join(self._row(one) for one in shown)
        tables = [f'<table style="{TABLE}">{body}</table>' for body in (facts, rows) if body]
        title = f"<strong>{escape(self.status.project)}</strong>"
        empty = [] if shown else [f'<div style="{DIM}">Nothing handed in yet: %practicum submit</div>']
        return _box([title, *tables, *empty], colour=COLOURS["busy"])

    def _row(self, one: Submission) -> str:
        colour = COLOURS[wording.tone(one)]
        when = wording.ago(self.now - one.received_at) if one.received_at else ""
        cells = (
            _link(one.url, f"#{one.number}"),
            f'<span style="color: {colour}">{escape(wording.state(one))}</span>',
            escape(wording.score(one, metric=self.status.metric)),
            f'<span style="{DIM}">{escape(when)}</span>',
        )
        return "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


class ErrorView:
    """A refusal, in words, with the page it speaks of."""

    def __init__(self, failure: errors.WorkspaceError) -> None:
        self.failure = failure

    def __repr__(self) -> str:
        return f"practicum: {self.failure}"

    def _repr_html_(self) -> str:
        lines = [f'<div role="alert" style="white-space: pre-wrap">{escape(str(self.failure))}</div>']
        url = self.failure.facts.get("url")
        if isinstance(url, str) and _safe(url):
            lines.append(f"<div>{_link(url, 'Open its page')}</div>")
        return _box(lines, colour=COLOURS["busy" if isinstance(self.failure, errors.Duplicate) else "bad"])


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(_safe(url))}" target="_blank" rel="noopener">{escape(text)}</a>'


def _box(lines: Iterable[str], *, colour: str) -> str:
    return f'<div style="{BOX.format(colour=colour)}">{"".join(lines)}</div>'


def _safe(url: str) -> str:
    """The address, or nothing where it is no web address."""
    return url if url.startswith(("https://", "http://")) else ""
