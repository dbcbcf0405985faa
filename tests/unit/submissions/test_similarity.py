"""A renamed copy is found, two honest solutions and what the project hands out are not; a mentor sees both, an intern never."""

from __future__ import annotations

import builtins
import json
import keyword
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from practicum.submissions import likeness
from practicum.submissions.models import Likeness, Submission
from practicum.submissions.similarity import Alike, Text, compare, fingerprint, grams_of, would_flag
from tests.bench import similarity

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "platform/practicum/config/demo"
DIGITS = ROOT / "projects/digits"


def code(path: Path) -> str:
    return path.read_text(encoding="utf-8")


MOVED, NEIGHBOUR, PCA = (
    code(DEMO / name / "predict.py") for name in ("digits-moved", "digits-neighbour", "features-pca")
)


def renamed(source: str) -> str:
    """The same code with every name of its own, number and text changed, and comments between."""
    names: dict[str, str] = {}

    def other(match: re.Match[str]) -> str:
        word = match.group()
        if keyword.iskeyword(word) or hasattr(builtins, word) or word in ("np", "numpy", "predict"):
            return word
        return names.setdefault(word, f"thing_{len(names)}")

    changed = re.sub(r"(?<![\w.])[A-Za-z_]\w*", other, source)
    changed = re.sub(r"(?<![\w.])\d+", lambda match: str(int(match.group()) + 7), changed)
    return "\n".join(
        f"{line}  # step {place}" if line.strip() else line for place, line in enumerate(changed.split("\n"))
    )


def cells_of(path: Path) -> list[Text]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [Text(f"cell {n}", "".join(cell["source"])) for n, cell in enumerate(cells) if cell["cell_type"] == "code"]


def handed_out() -> list[Text]:
    files = [Text(path.name, code(path)) for path in sorted(DIGITS.glob("*.py"))]
    return [*files, *cells_of(DIGITS / "start.ipynb")]


def held_against(one: str, other: str, *, known: frozenset[int] = frozenset()) -> Alike:
    first, second = (fingerprint([Text("predict.py", source)], known=known) for source in (one, other))
    return compare(first, second)


def test_a_copy_with_other_names_numbers_and_comments_is_found() -> None:
    found = held_against(MOVED, renamed(MOVED), known=grams_of(handed_out()))

    assert found.is_flagged
    assert found.share > 0.85
    passage = found.passages[0]
    assert "np.load" in passage.code
    assert "thing_" in passage.other_code
    assert passage.code.split("\n")[0] == MOVED.split("\n")[passage.line - 1]


@pytest.mark.parametrize(("one", "other"), [(MOVED, NEIGHBOUR), (NEIGHBOUR, PCA), (MOVED, PCA)])
def test_honest_different_solutions_are_not_flagged(one: str, other: str) -> None:
    found = held_against(one, other)

    assert not found.is_flagged
    assert found.share < 0.35


def test_what_the_project_hands_out_is_nobody_s_copy() -> None:
    start = cells_of(DIGITS / "start.ipynb")
    known = grams_of(handed_out())

    assert compare(fingerprint(start, known=frozenset()), fingerprint(start, known=frozenset())).is_flagged
    assert fingerprint(start, known=known).marks == ()


def test_a_copy_inside_much_more_of_one_s_own_is_found() -> None:
    padded = code(DIGITS / "data.py") + "\n" + renamed(MOVED) + "\n" + code(DIGITS / "evaluate.py")

    assert held_against(MOVED, padded).is_flagged


def test_a_stretch_of_gram_and_window_tokens_is_always_found() -> None:
    shared = "x = [f(a) + g(b.mean(axis)) - h.sum(c) * k.dot(d)]"

    assert held_against(f"import one\nprint(one.q)\n{shared}\nreturn", f"for y in z: pass\n{shared}\ny.w.v").common > 0


@pytest.mark.parametrize(
    "broken", ["", '"""', "'", "def (", "\x00\x07", "\\", '"' * 999, "x" * 10_000, "%%bash\nls -l"]
)
def test_code_that_is_none_is_read_all_the_same(broken: str) -> None:
    assert held_against(broken, broken).share in (0.0, 1.0)


def test_attributes_of_self_are_names_of_one_s_own_and_others_are_not() -> None:
    method = (
        "def step(self, x):\n    self.h = np.maximum(0, x @ self.w1 + self.b1)\n    return self.h @ self.w2 + self.b2\n"
    )
    other_names = method.replace("self.h", "self.hidden").replace("self.w", "self.weight_").replace("self.b", "self.c")

    assert held_against(method, other_names).share == 1.0
    assert held_against(method, method.replace("np.maximum", "np.minimum")).share < 1.0


@pytest.mark.parametrize("other", [MOVED, renamed(MOVED), NEIGHBOUR, "", renamed(MOVED)[: len(MOVED) // 2]])
def test_the_hashes_alone_tell_what_would_be_flagged(other: str) -> None:
    mine, theirs = (fingerprint([Text("predict.py", source)], known=frozenset()) for source in (MOVED, other))

    assert would_flag(mine.hashes, theirs.hashes) == compare(mine, theirs).is_flagged


@pytest.mark.slow
def test_every_planted_copy_of_a_solution_is_found_and_no_two_solutions_are_taken_for_one() -> None:
    """The part of ``make bench BENCH=similarity`` that is about one question; there are other measures beside it."""
    found = similarity.pairs_of(similarity.digits_solutions(), kind=similarity.SAME_QUESTION)

    assert (sum(pair.is_copy for pair in found), len(found)) == (77, 77 + 55)
    assert similarity.ours(found) == [pair.is_copy for pair in found]


@pytest.fixture
def project(version: Any) -> Any:
    shutil.copytree(DIGITS, version.folder / "project", dirs_exist_ok=True)
    return version


def handed_in(internship: Any, source: str, *, number: int = 1, at: Any, **files: str) -> Submission:
    submission = Submission.objects.create(
        internship=internship, version=internship.version, number=number, digest=f"{internship.pk:032d}{number:032d}",
        source="terminal", received_at=at, size_bytes=1, notebook="",
        files=[{"path": path, "bytes": 1} for path in ("predict.py", *files)],
    )  # fmt: skip
    submission.folder.mkdir(parents=True)
    for path, content in {"predict.py": source, **files}.items():
        (submission.folder / path).parent.mkdir(exist_ok=True)
        (submission.folder / path).write_text(content)
    return submission


def all_compared(now: Any) -> None:
    while likeness.compare_next(now=now):
        pass


def test_a_near_copy_is_noted_once_with_both_sides_in_the_order_they_came(
    project: Any, internship: Any, peer_internship: Any, now: Any
) -> None:
    first = handed_in(internship, MOVED, at=now)
    second = handed_in(peer_internship, renamed(MOVED), at=now)

    all_compared(now)

    note = Likeness.objects.get()
    assert (note.first, note.second) == (first, second)
    assert "thing_" in note.passages[0]["other_code"]
    assert "thing_" not in note.passages[0]["code"]
    assert not likeness.compare_next(now=now)


def test_what_was_read_once_is_not_read_again_and_a_copy_of_it_is_found_all_the_same(
    project: Any, internship: Any, peer_internship: Any, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    true_read = likeness.read_regular
    monkeypatch.setattr(
        likeness,
        "read_regular",
        lambda folder, name, most: read.append(folder.name) or true_read(folder, name, most=most),
    )
    for number in range(1, 4):
        handed_in(internship, NEIGHBOUR + f"\nnumber_{number} = 1", number=number, at=now)
        handed_in(peer_internship, MOVED + f"\nnumber_{number} = 1", number=number, at=now)

    all_compared(now)

    assert not Likeness.objects.exists()
    # Once as the one that is compared, once as another of those.
    assert {folder: read.count(folder) for folder in read if folder != "project"} == dict.fromkeys(
        Submission.objects.values_list("digest", flat=True), 2
    )
    copy = handed_in(peer_internship, renamed(NEIGHBOUR), number=4, at=now)
    all_compared(now)
    assert set(Likeness.objects.values_list("second", flat=True)) == {copy.pk}


def test_one_s_own_earlier_work_other_work_weights_and_the_starter_are_no_copies(
    project: Any, internship: Any, peer_internship: Any, now: Any
) -> None:
    handed_in(internship, MOVED, at=now)
    handed_in(internship, MOVED + "\n", number=2, at=now)
    start = code(DIGITS / "start.ipynb")
    handed_in(peer_internship, NEIGHBOUR, at=now, **{"start.ipynb": start, "artifact/copy.py": MOVED})

    all_compared(now)

    assert not Likeness.objects.exists()
    assert not Submission.objects.filter(compared_at__isnull=True).exists()


def test_a_copied_cell_of_a_notebook_is_named(project: Any, internship: Any, peer_internship: Any, now: Any) -> None:
    def notebook(source: str) -> str:
        cells = [{"cell_type": "markdown", "source": "hello"}, {"cell_type": "code", "source": source.splitlines(True)}]
        return json.dumps({"cells": cells})

    handed_in(internship, "", at=now, **{"mine.ipynb": notebook(MOVED)})
    handed_in(peer_internship, "", at=now, **{"ours.ipynb": notebook(renamed(MOVED)), "broken.ipynb": "[" * 9999})

    all_compared(now)

    passage = Likeness.objects.get().passages[0]
    assert (passage["name"], passage["other_name"]) == ("mine.ipynb, cell 2", "ours.ipynb, cell 2")


def test_a_mentor_of_either_and_an_admin_see_both_sides_and_nobody_else(
    project: Any, internship: Any, stranger_internship: Any, now: Any, client_of: Any, request: pytest.FixtureRequest
) -> None:
    mine = handed_in(internship, MOVED, at=now)
    theirs = handed_in(stranger_internship, renamed(MOVED) + "# <b>x</b>", at=now)
    all_compared(now)
    address = reverse("submissions:likeness", args=[Likeness.objects.get().pk])

    for name in ("mentor", "other_mentor", "admin"):
        page = client_of(request.getfixturevalue(name)).get(address).content.decode()
        assert "np.load" in page
        assert "thing_" in page
        assert "<b>x</b>" not in page
    for name in ("intern", "stranger", "peer"):
        assert client_of(request.getfixturevalue(name)).get(address).status_code == 404
    for name, submission, is_told in (
        ("mentor", mine, True),
        ("other_mentor", theirs, True),
        ("intern", mine, False),
        ("stranger", theirs, False),
    ):
        desk = client_of(request.getfixturevalue(name)).get(reverse("reviews:desk", args=[submission.pk]))
        assert (address in desk.content.decode()) is is_told
