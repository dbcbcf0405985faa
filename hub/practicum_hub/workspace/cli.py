"""The command ``practicum``: hand in, see where you stand, open the page of a submission.

Exit codes: 0 done; 1 with ``--wait``, the submission ended without a score; 2 the command line makes no sense; 3 the
folder can't be handed in as it is; 4 the site refused; 5 the site does not answer; 6 this is no Practicum notebook;
130 stopped by the person (what was handed in stays handed in).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from practicum_hub.workspace import errors, pack, wording
from practicum_hub.workspace.answers import Submission
from practicum_hub.workspace.client import Environment, SiteClient
from practicum_hub.workspace.handin import HandIn, hand_in
from practicum_hub.workspace.waiting import follow

INTERRUPTED = 130


@dataclass(frozen=True)
class Terminal:
    """Where the words go. Colours and the live line only where a person watches."""

    out: TextIO
    error: TextIO
    as_json: bool = False

    @property
    def is_live(self) -> bool:
        """A person watches a terminal that can redraw a line."""
        return self.out.isatty() and not self.as_json and os.environ.get("TERM") != "dumb"

    @property
    def paint(self) -> wording.Paint:
        """Colours, or none: https://no-color.org."""
        return wording.ansi if self.is_live and not os.environ.get("NO_COLOR") else wording.plain

    def say(self, *lines: str) -> None:
        """Print lines for a person; nothing under ``--json``."""
        if not self.as_json:
            print(*lines, sep="\n", file=self.out, flush=True)

    def answer(self, value: Mapping[str, object]) -> None:
        """Print one JSON line; nothing without ``--json``."""
        if self.as_json:
            print(json.dumps(value), file=self.out, flush=True)

    def redraw(self, line: str) -> None:
        """Replace the current line."""
        self.out.write(f"\r\x1b[2K{line}")
        self.out.flush()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="practicum",
        description="Hand in your work and see where you stand.",
        epilog="Exit codes: " + (__doc__ or "").split("Exit codes: ")[1].replace("\n", " ").replace("``", "").strip(),
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="submit | status | open")
    submit = verbs.add_parser("submit", parents=[common], help="hand in the folder with your predict.py")
    submit.add_argument("path", nargs="?", type=Path, help="the folder; default: submission/ or the project folder")
    submit.add_argument("--notebook", type=Path, help="the notebook your mentor reviews; default: the newest")
    submit.add_argument("--wait", action="store_true", help="stay until the score is there")
    submit.add_argument("--dry-run", action="store_true", help="check and show what would go along; send nothing")
    verbs.add_parser("status", parents=[common], help="project, scores, submissions, session")
    page = verbs.add_parser("open", parents=[common], help="the address of a submission's page")
    page.add_argument("number", nargs="?", type=int, help="the submission's number; default: the newest")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = parser().parse_args(arguments)
    terminal = Terminal(out=sys.stdout, error=sys.stderr, as_json=options.json)
    verbs: dict[str, Callable[..., int]] = {"submit": _submit, "status": _status, "open": _open}
    try:
        client = SiteClient(Environment.read(os.environ))
        return verbs[options.verb](client, options=options, terminal=terminal)
    except errors.WorkspaceError as failure:
        terminal.answer(failure.as_json())
        if not terminal.as_json:
            print(f"practicum: {failure}", file=terminal.error)
        return failure.exit_code
    except KeyboardInterrupt:
        terminal.say("", "Stopped waiting. What was handed in stays handed in: practicum status")
        return INTERRUPTED


def _submit(client: SiteClient, *, options: argparse.Namespace, terminal: Terminal) -> int:
    folder = options.path.resolve() if options.path else None
    notebook = options.notebook.resolve() if options.notebook else None
    if options.dry_run:
        return _dry_run(client, folder=folder, notebook=notebook, terminal=terminal)
    handed = hand_in(client, source="terminal", folder=folder, notebook=notebook)
    _say_handed_in(handed, terminal=terminal)
    if not options.wait:
        terminal.answer(handed.submission.as_json())
        return 0
    return _wait(client, first=handed.submission, terminal=terminal)


def _dry_run(client: SiteClient, *, folder: Path | None, notebook: Path | None, terminal: Terminal) -> int:
    project_dir = client.environment.project_dir
    package = pack.collect(folder or pack.submission_folder(project_dir), project_dir=project_dir, notebook=notebook)
    terminal.say(package.summary(), *package.notes, "Nothing was sent.")
    files = [{"path": member.name, "bytes": member.size_bytes} for member in package.members]
    terminal.answer({"files": files, "bytes": package.size_bytes, "notes": list(package.notes)})
    return 0


def _say_handed_in(handed: HandIn, *, terminal: Terminal) -> None:
    paint, submission = terminal.paint, handed.submission
    terminal.say(
        f"{paint('Handed in', 'good')} as {paint(f'#{submission.number}', 'strong')}: {submission.url}",
        f"  {paint(handed.package.summary(), 'dim')}",
        *(f"  {paint(note, 'dim')}" for note in handed.package.notes),
    )


def _wait(client: SiteClient, *, first: Submission, terminal: Terminal) -> int:
    """Show each change of state until the run ends; 0 with a score, 1 without."""
    metric = client.status().metric
    started = time.monotonic()
    last = ""

    def show(submission: Submission) -> None:
        nonlocal last
        line = "  " + wording.outcome(submission, metric=metric, paint=terminal.paint)
        if terminal.is_live:
            elapsed = f" · {int(time.monotonic() - started)} s" if submission.is_open else "\n"
            terminal.redraw(line + elapsed)
        elif line != last:
            terminal.say(line)
        last = line

    ended = follow(client, first=first, show=show)
    terminal.answer(ended.as_json())
    return 0 if ended.state == "scored" else 1


def _status(client: SiteClient, *, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.json:
        terminal.answer(client.raw_status())
        return 0
    terminal.say(*wording.status(client.status(), now=datetime.now(UTC), paint=terminal.paint))
    return 0


def _open(client: SiteClient, *, options: argparse.Namespace, terminal: Terminal) -> int:
    if options.number is not None:
        url = client.submission(options.number).url
    else:
        newest = client.status().submissions[:1]
        url = newest[0].url if newest else f"{client.environment.site_url}/"
    terminal.answer({"url": url})
    terminal.say(url)
    if terminal.is_live and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
