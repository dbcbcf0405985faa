"""The peers of ``tests.bench.evaluate``: nbgrader and Otter-Grader, each in an environment of its own, neither isolating.

Twenty filled-in copies of nbgrader's own quickstart assignment, of four kinds, so that the scores differ. Environments are made
with uv at the first run; ``NBGRADER_PYTHON`` and ``OTTER_PYTHON`` name ones that are there.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STUDENTS = 20
# What a student wrote in the two answer cells, and the points it is worth (1 + 1 for squares, 0.5 + 0.5 for the sum).
GUARD = "    if n < 1:\n        raise ValueError('n must be at least 1')\n"
LISTED = "def squares(n):\n{}    return [i ** 2 for i in range(1, {})]"
RIGHT, CARELESS, SHORT = LISTED.format(GUARD, "n + 1"), LISTED.format("", "n + 1"), LISTED.format(GUARD, "n")
USES, REPEATS = "return sum(squares(n))", "return n * (n + 1) * (2 * n + 1) // 6"
KINDS = ((RIGHT, USES, 3.0), (CARELESS, USES, 2.0), (SHORT, USES, 1.5), (RIGHT, REPEATS, 2.5))
OTTER_TESTS = {
    "squares": ("assert squares(1) == [1]", "assert squares(10)[-1] == 100", "# HIDDEN\nassert squares(11)[-1] == 121"),
    "sum_of_squares": ("assert sum_of_squares(10) == 385", "# HIDDEN\nassert sum_of_squares(11) == 506"),
}


def answers_of(student: int) -> tuple[str, str, float]:
    """The two answer cells of a student, and the points."""
    squares, body, points = KINDS[student % len(KINDS)]
    return f"# student {student}\n{squares}", f"def sum_of_squares(n):\n    {body}", points


def python_of(peer: str, variable: str, *, folder: Path) -> Path:
    """The Python that has this peer; made where the variable names none."""
    if variable in os.environ:
        return Path(os.environ[variable])
    print(f"  installing {peer}", flush=True)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "--python", python, peer, "ipykernel", "pandas", "numpy"], check=True)
    return python


def run(*command: str | Path, cwd: Path, python: Path) -> float:
    """Seconds a command of that environment took.

    Raises:
        RuntimeError: it failed.
    """
    began = time.perf_counter()
    path = {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=cwd, env=os.environ | path, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{result.stdout[-2000:]}{result.stderr[-3000:]}")
    return time.perf_counter() - began


class Nbgrader:
    """A course with twenty submitted notebooks."""

    def __init__(self, folder: Path) -> None:
        self.python, self.course = python_of("nbgrader", "NBGRADER_PYTHON", folder=folder / "env"), folder / "course"
        folder.mkdir(exist_ok=True)
        self._run("quickstart", "course", cwd=folder)
        (self.course / "source/ps1/problem2.ipynb").unlink()
        self._run("generate_assignment", "ps1", cwd=self.course)
        self.notebooks = [self._filled(student) for student in range(STUDENTS)]
        for student, notebook in enumerate(self.notebooks):
            place = self.course / f"submitted/student{student:02d}/ps1"
            shutil.copytree(self.course / "release/ps1", place)
            (place / "problem1.ipynb").write_text(json.dumps(notebook))
        self._fresh = (self.course / "gradebook.db").read_bytes()

    def _run(self, *words: str, cwd: Path) -> float:
        return run(self.python.with_name("nbgrader"), *words, cwd=cwd, python=self.python)

    def _filled(self, student: int) -> Any:
        notebook = json.loads((self.course / "release/ps1/problem1.ipynb").read_text())
        squares, sums, _ = answers_of(student)
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = {"squares": squares, "sum_of_squares": sums}.get(name, cell["source"])
            if name == "sum_of_squares_application":
                cell["source"] = "pass"
        return notebook

    def grade(self, *, processes: int) -> float:
        """Seconds to grade all; in two processes each has a half and a gradebook of its own, which is nbgrader's own advice."""
        shutil.rmtree(self.course / "autograded", ignore_errors=True)
        self.books = [self.course / f"gradebook{part}.db" for part in range(processes)]
        for book in self.books:
            book.write_bytes(self._fresh)
        names = [f"student{student:02d}" for student in range(STUDENTS)]

        def part(number: int) -> None:
            mine = "|".join(names[number::processes])
            self._run(
                "autograde", "ps1", "--create", f"--db=sqlite:///{self.books[number]}",
                f"--CourseDirectory.student_id_exclude={','.join(n for n in names if n not in mine.split('|'))}",
                cwd=self.course,
            )  # fmt: skip

        began = time.perf_counter()
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(part, range(processes)))
        return time.perf_counter() - began

    def points(self) -> list[float]:
        """What each student got."""
        found: dict[str, float] = {}
        for book in self.books:
            with sqlite3.connect(book) as database:
                query = (
                    "select s.id, sum(coalesce(g.auto_score, 0)) from student s "
                    "join submitted_assignment a on a.student_id = s.id join submitted_notebook n on n.assignment_id = a.id "
                    "join grade g on g.notebook_id = n.id group by s.id"
                )
                found |= dict(database.execute(query).fetchall())
        return [found[name] for name in sorted(found)]


class Otter:
    """The same functions as an Otter assignment, with twenty submissions; run without containers."""

    def __init__(self, folder: Path) -> None:
        self.python = python_of("otter-grader", "OTTER_PYTHON", folder=folder / "env")
        folder.mkdir(exist_ok=True)
        self.folder = folder
        (folder / "ps1.ipynb").write_text(json.dumps(self._assignment()))
        run(self.python.with_name("otter"), "assign", "ps1.ipynb", "dist", cwd=folder, python=self.python)
        self.tests = next((folder / "dist/autograder").glob("*.zip"))
        released = json.loads((folder / "dist/student/ps1.ipynb").read_text())
        for student in range(STUDENTS):
            place = folder / f"submission{student:02d}"
            place.mkdir()
            (place / "ps1.ipynb").write_text(json.dumps(self._filled(released, student=student)))

    def _assignment(self) -> Any:
        cells = [_raw("# ASSIGNMENT CONFIG\nexport_cell: false\n")]
        for (name, tests), solution in zip(OTTER_TESTS.items(), answers_of(0)[:2], strict=True):
            cells += [_raw(f"# BEGIN QUESTION\nname: {name}\npoints: 1"), _cell("markdown", f"Write `{name}`.")]
            cells += [_raw("# BEGIN SOLUTION"), _cell("code", solution), _raw("# END SOLUTION"), _raw("# BEGIN TESTS")]
            cells += [*(_cell("code", test) for test in tests), _raw("# END TESTS"), _raw("# END QUESTION")]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}

    def _filled(self, released: Any, *, student: int) -> Any:
        answers = iter(answers_of(student)[:2])
        notebook = json.loads(json.dumps(released))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code" and "".join(cell["source"]).strip() == "...":
                cell["source"] = next(answers)
        return notebook

    def grade(self, *, processes: int) -> float:
        """Seconds for ``otter run`` on each, so many at a time."""

        def one(student: int) -> float:
            place = self.folder / f"submission{student:02d}"
            words = ("run", "-a", str(self.tests), "-o", str(place), str(place / "ps1.ipynb"))
            return run(self.python.with_name("otter"), *words, cwd=place, python=self.python)

        began = time.perf_counter()
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(one, range(STUDENTS)))
        return time.perf_counter() - began


def _cell(kind: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source, **code}


def _raw(source: str) -> dict[str, Any]:
    return _cell("raw", source)
