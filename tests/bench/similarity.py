"""Near-copies: how many are found, and how many honest pairs are taken for one, beside two plain measures.

The set is labelled by how it is made. An intern hands in what the project gave them (digits: baseline and notebook, as they
are) and code of their own. That is one of eleven solutions of digits (two ship with the demo, nine lie in ``solutions/``, each
another method against the same interface: the hard honest pairs), or the beginning of one of thirty modules of Python's
standard library, about 40 or 160 lines, which people wrote without each other. Two interns are an honest pair. A copy is made
of each by one of seven hands: names changed; names changed and those after a dot too; functions in another order; comments
gone and formatted anew; cut into cells; dead code between; all of these.

Ours is ``submissions.similarity`` as it flags for a mentor. The peers know nothing of what was handed out, so they are given
the own code alone: the share of equal lines (difflib), and the Jaccard index of runs of five tokens. Each peer gets the
threshold that is best for it on this very set. The result is a ratio: our wrong answers over the better peer's.
"""

from __future__ import annotations

import ast
import difflib
import io
import json
import keyword
import random
import re
import sysconfig
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from practicum.submissions.similarity import Fingerprint, Text, compare, fingerprint, grams_of
from tests.bench.report import heading, verdict

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
DIGITS = ROOT / "projects" / "digits"
DEMO = ROOT / "platform" / "practicum" / "config" / "demo"
MODULES = (
    "argparse", "bdb", "calendar", "cmd", "code", "colorsys", "configparser", "csv", "difflib", "filecmp", "fileinput",
    "fractions", "graphlib", "heapq", "imaplib", "ipaddress", "mailbox", "netrc", "pprint", "profile", "random", "sched",
    "shlex", "statistics", "tarfile", "textwrap", "timeit", "trace", "turtle", "zipapp",
)  # fmt: skip
SIZES = (40, 160)
SHIPPED = ("digits-moved", "digits-neighbour")
SAME_QUESTION, OTHER_QUESTIONS = "the same question", "other questions"
LIMIT = 0.5
SEED = 0

Hand = Callable[[str, random.Random], list[Text]]


@dataclass(frozen=True)
class Pair:
    """Two submissions, and whether one is a copy; ``kind`` says by which hand."""

    kind: str
    is_copy: bool
    one: tuple[Text, ...]
    other: tuple[Text, ...]


def handed_out() -> list[Text]:
    """What every intern of the project was given."""
    files = [Text(path.name, path.read_text(encoding="utf-8")) for path in sorted(DIGITS.glob("*.py"))]
    cells = json.loads((DIGITS / "start.ipynb").read_text(encoding="utf-8"))["cells"]
    return files + [Text(f"cell {n}", "".join(c["source"])) for n, c in enumerate(cells) if c["cell_type"] == "code"]


def own_code(module: str, *, lines: int) -> str:
    """The functions and classes at the beginning of a module, without its imports, until there are so many lines."""
    source = (Path(sysconfig.get_paths()["stdlib"]) / f"{module}.py").read_text(encoding="utf-8")
    taken: list[str] = []
    for node in _flattened(ast.parse(source)):
        taken.append(ast.get_source_segment(source, node, padded=True) or "")
        if sum(text.count("\n") + 1 for text in taken) >= lines:
            break
    return "\n\n".join(_dedented(text) for text in taken) + "\n"


def _flattened(tree: ast.Module) -> list[ast.stmt]:
    """Functions of the module and of its classes, as functions."""
    found: list[ast.stmt] = []
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        found += [part for part in inside if isinstance(part, ast.FunctionDef)]
    return found


def _dedented(text: str) -> str:
    """A method as a function; its docstring may lie at any column."""
    margin = len(text) - len(text.lstrip(" "))
    return "\n".join(line[margin:] if not line[:margin].strip() else line for line in text.split("\n"))


def solution(code: str) -> tuple[Text, ...]:
    """What an intern hands in: the project's files, and code of their own."""
    given = [text for text in handed_out() if text.name not in ("data.py", "evaluate.py")]
    return (*given, Text("mine.py", code))


def renamed(code: str, *, also_after_dots: bool = False) -> str:
    """Every name of its own changed, consistently; numbers and texts stay."""
    names: dict[str, str] = {}
    builtin = set(dir(__import__("builtins")))
    parts, before = [], ""
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        text = token.string
        is_own = before != "." or (also_after_dots and re.search(rf"\bself\.{text}\b|\bdef {text}\b", code))
        if token.type == tokenize.NAME and not keyword.iskeyword(text) and text not in builtin | {"self"} and is_own:
            text = names.setdefault(text, f"thing_{len(names)}")
        if text.strip():
            before = text
        parts.append((token.type, text))
    return tokenize.untokenize(parts)


def reordered(code: str, chance: random.Random) -> str:
    """The functions in another order."""
    parts = [ast.get_source_segment(code, node) or "" for node in ast.parse(code).body]
    chance.shuffle(parts)
    return "\n\n".join(parts) + "\n"


def reformatted(code: str) -> str:
    """Comments and layout gone, a comment of another kind above each function."""
    return re.sub(r"^def ", "# one more step\ndef ", ast.unparse(ast.parse(code)), flags=re.MULTILINE) + "\n"


def cells(code: str) -> list[Text]:
    """Each function in a cell of its own."""
    parts = [ast.get_source_segment(code, node) or "" for node in ast.parse(code).body]
    return [Text(f"mine.ipynb, cell {number}", part) for number, part in enumerate(parts, start=1)]


class _DeadCode(ast.NodeTransformer):
    """After every fourth statement of a function stands one that does nothing."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        body: list[ast.stmt] = []
        for place, part in enumerate(node.body):
            body.append(part)
            if place % 4 == 3:
                body += ast.parse(f"unused_{place} = [step * {place} for step in range(3)]").body
        node.body = body
        return node


def with_dead_code(code: str) -> str:
    """Statements and functions between that do nothing."""
    tree = _DeadCode().visit(ast.parse(code))
    extra = "def check_{0}(value):\n    if value is None:\n        return {0}\n    return value\n"
    parts = [f"{ast.unparse(node)}\n\n{extra.format(place)}" for place, node in enumerate(tree.body)]
    return "\n\n".join(parts)


HANDS: dict[str, Hand] = {
    "names changed": lambda code, _: [Text("mine.py", renamed(code))],
    "names, also after a dot": lambda code, _: [Text("mine.py", renamed(code, also_after_dots=True))],
    "functions reordered": lambda code, chance: [Text("mine.py", reordered(code, chance))],
    "comments, layout": lambda code, _: [Text("mine.py", reformatted(code))],
    "cut into cells": lambda code, _: cells(code),
    "dead code between": lambda code, _: [Text("mine.py", with_dead_code(code))],
    "all of these": lambda code, chance: cells(
        renamed(with_dead_code(reordered(reformatted(code), chance)), also_after_dots=True)
    ),
}


def pairs() -> list[Pair]:
    """The labelled set."""
    written = {SAME_QUESTION: digits_solutions()}
    for lines in SIZES:
        written[f"{OTHER_QUESTIONS}, {lines} lines"] = [own_code(module, lines=lines) for module in MODULES]
    return [pair for kind, codes in written.items() for pair in pairs_of(codes, kind=kind)]


def digits_solutions() -> list[str]:
    """Eleven working solutions of one project."""
    files = [*(DEMO / name / "predict.py" for name in SHIPPED), *sorted((BENCH / "solutions").glob("*.py"))]
    return [file.read_text(encoding="utf-8") for file in files]


def pairs_of(codes: Sequence[str], *, kind: str) -> list[Pair]:
    """Each two of them, and each with a copy of itself by every hand."""
    chance = random.Random(SEED)
    made = [Pair(kind, False, solution(one), solution(other)) for one, other in combinations(codes, 2)]
    for hand_name, hand in HANDS.items():
        made += [Pair(hand_name, True, solution(code), (*solution("")[:-1], *hand(code, chance))) for code in codes]
    return made


def ours(found: Sequence[Pair]) -> list[bool]:
    """What a mentor would be shown."""
    known = grams_of(handed_out())
    kept: dict[tuple[Text, ...], Fingerprint] = {}

    def marks(texts: tuple[Text, ...]) -> Fingerprint:
        if texts not in kept:
            kept[texts] = fingerprint(texts, known=known)
        return kept[texts]

    return [compare(marks(pair.one), marks(pair.other)).is_flagged for pair in found]


def equal_lines(one: tuple[Text, ...], other: tuple[Text, ...]) -> float:
    """difflib's ratio over lines."""
    sides = [[line.strip() for text in side for line in text.code.split("\n") if line.strip()] for side in (one, other)]
    return difflib.SequenceMatcher(None, *sides, autojunk=False).ratio()


def five_tokens(one: tuple[Text, ...], other: tuple[Text, ...]) -> float:
    """The Jaccard index of the runs of five tokens."""
    sides = []
    for side in (one, other):
        words = re.findall(r"\w+|[^\w\s]", "\n".join(text.code for text in side))
        sides.append({tuple(words[at : at + 5]) for at in range(len(words) - 4)})
    return len(sides[0] & sides[1]) / max(1, len(sides[0] | sides[1]))


def _own(texts: tuple[Text, ...]) -> tuple[Text, ...]:
    return tuple(text for text in texts if text.name.startswith("mine"))


def best(measures: Sequence[float], found: Sequence[Pair]) -> tuple[float, list[bool]]:
    """The threshold with the fewest wrong answers on this set, and the answers."""
    tried = [*sorted(set(measures)), 2.0]
    threshold = min(
        tried, key=lambda limit: sum((m >= limit) != p.is_copy for m, p in zip(measures, found, strict=True))
    )
    return threshold, [measure >= threshold for measure in measures]


def told(name: str, flags: Sequence[bool], found: Sequence[Pair]) -> int:
    """Print its line; how many answers are wrong."""
    right = sum(flag and pair.is_copy for flag, pair in zip(flags, found, strict=True))
    copies, flagged = sum(pair.is_copy for pair in found), sum(flags)
    false = flagged - right
    honest = len(found) - copies
    print(
        f"  {name:<34} precision {right / max(1, flagged):.3f} ({false} of {honest} honest pairs flagged)   "
        f"recall {right / copies:.3f} ({right} of {copies} copies)"
    )
    return false + copies - right


def main() -> bool:
    """Print precision and recall of ours and of the peers, and ours by hand."""
    heading("Near-copies between interns who share what the project handed out")
    found = pairs()
    flags = ours(found)
    wrong = told("ours", flags, found)
    peers = []
    for name, measure in (("equal lines (difflib)", equal_lines), ("five tokens in a row (Jaccard)", five_tokens)):
        threshold, answers = best([measure(_own(pair.one), _own(pair.other)) for pair in found], found)
        peers.append(told(f"{name} >= {threshold:.2f}", answers, found))
    for kind in HANDS:
        chosen = [flag for flag, pair in zip(flags, found, strict=True) if pair.kind == kind]
        print(f"  ours, {kind:<28} {sum(chosen)} of {len(chosen)} found")
    for kind in dict.fromkeys(pair.kind for pair in found if not pair.is_copy):
        chosen = [flag for flag, pair in zip(flags, found, strict=True) if pair.kind == kind]
        print(f"  ours, {kind:<28} {sum(chosen)} of {len(chosen)} honest pairs flagged")
    return verdict("wrong answers, ours over the better peer's", wrong / max(1, min(peers)), limit=LIMIT)
