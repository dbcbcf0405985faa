"""``practicum project new <slug>``: a small project that passes its check as it is, to be changed into another.

``starter/`` is that project: a generator, a baseline that trains in under a second, an evaluator, a notebook, golden
cases. It is copied with its name replaced.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from practicum.catalog.manifest import SLUG
from practicum.errors import Invalid

STARTER = Path(__file__).with_name("starter")
SLUG_THERE, TITLE_THERE = "new-project", "New project"
TEXTS = (".toml", ".md", ".py", ".ipynb")
NEXT = """{folder} is a project that works. Change it into yours, in this order:

  1. project.toml   the question, the columns of the predictions, the metric
  2. data.py        what is public, what is hidden
  3. baseline.py    the simplest thing that works, and its measured claim
  4. evaluate.py    the metric, and what it refuses
  5. practicum project golden {folder}
  6. README.md and start.ipynb
  7. practicum project check {folder}
"""


def make(slug: str, *, into: Path) -> Path:
    """The new project's folder, ``into``/``slug``.

    Raises:
        Invalid: the name can't be a project's, or something of this name is there.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid(
            f"'{slug}' can't be the name of a project. Use 3 to 50 of a-z, 0-9 and -, beginning with a letter and not "
            "ending with -."
        )
    folder = into / slug
    if folder.exists() or folder.is_symlink():
        raise Invalid(f"{folder} is there already. Choose another name, or remove it first.")
    into.mkdir(parents=True, exist_ok=True)
    shutil.copytree(STARTER, folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    title = slug.replace("-", " ").capitalize()
    for file in folder.rglob("*"):
        if file.suffix in TEXTS:
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace(SLUG_THERE, slug).replace(TITLE_THERE, title), encoding="utf-8")
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """``new <slug> [--into FOLDER]``: 0 when made, 2 when the name or the place is refused."""
    parser = argparse.ArgumentParser(prog="practicum project new", description="Make a project to begin with.")
    parser.add_argument("slug", help="its name: the folder's, and its address on the site")
    parser.add_argument("--into", type=Path, default=Path("projects"), help="where its folder goes (projects)")
    options = parser.parse_args(argv)
    try:
        folder = make(options.slug, into=options.into)
    except (Invalid, OSError) as refusal:
        print(refusal, file=sys.stderr)
        return 2
    print(NEXT.format(folder=folder), end="")
    return 0
