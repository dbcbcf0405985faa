"""Compares predictions with hidden answers: ``score.py --project DIR --predictions DIR --answers DIR [--run FILE] [--wait]``.

Prints exactly one JSON line of at most 4,096 bytes on standard output: ``{"metrics": {name: number}}`` or
``{"invalid": message}``. Whatever the project's ``evaluate.py`` prints goes to stderr. Any other exception is our fault
or the project's: traceback on stderr, exit code 1, nothing on stdout.

Where the answers hold ``shown-ids.json``, a list of ids as texts, the line has ``"shown": {name: number}`` too: the same
function called once more, on the rows of these ids alone. By then the first call has accepted the predictions. For the
second call the tables (``.npz`` and ``.safetensors`` with an array ``id``, ``.csv`` with a column ``id``, ``.json`` with a
list of objects that have one) among the answers and among the files that project.toml names are written anew with fewer
rows, to a folder in memory.

With ``--run FILE`` the project's function is called with a third argument: the numbers by name in that JSON file, which
whoever ran the submission has measured, such as ``{"seconds": 3.2}``. It lies where no intern's code ever writes. It is read
when the predictions are, so it may be written while this waits.

With ``--wait`` everything is loaded first, the line ``READY`` is printed, and the predictions are looked at only after
SIGUSR1; SIGTERM ends it with exit code 5. With ``--keep NAME --into DIR --keep-bytes N`` that file of the predictions is
copied to DIR before, if it is a plain one of at most N bytes; after SIGUSR2 this is all that is done. The predictions come
from a container that ran an intern's code: only plain files and folders are accepted, links and devices are refused before
the project's code sees them.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
import os
import re
import signal
import stat
import struct
import sys
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

MAX_BYTES = 4096
MAX_MESSAGE = 600
MAX_FILES = 10_000
MAX_TABLE_BYTES = 256 << 20
SHOWN_IDS = "shown-ids.json"
NPY = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00(?:..|.{4})\{'descr': '(?P<order>[<>|=])(?P<kind>[a-zA-Z])(?P<size>[0-9]{1,6})', "
    rb"'fortran_order': (?P<fortran>False|True), 'shape': \((?P<shape>[0-9, ]{1,60})\), \} *\n",
    re.DOTALL,
)
WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    csv.Error,
)
STOPPED = 5
READY = "READY"
AWAITED = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM}


class RefusedError(Exception):
    """The predictions are not something to score; the message is for the intern."""


class Project:
    """A project's ``evaluate.py``: its function and its refusal."""

    def __init__(self, folder: Path) -> None:
        # The project's own modules first, then practicum_scorer, which lies beside this file.
        sys.path.insert(0, str(folder.resolve()))
        sys.path.append(str(Path(__file__).resolve().parent))
        module = importlib.import_module("evaluate")
        self.folder = folder
        self.function: Callable[..., Any] = module.evaluate
        self.run: dict[str, float] | None = None
        shared = sys.modules.get("practicum_scorer")
        self.invalid: tuple[type[Exception], ...] = (
            (module.InvalidSubmission, shared.InvalidSubmission) if shared else (module.InvalidSubmission,)
        )

    def evaluate(self, predictions: Path, answers: Path) -> Any:
        """What the project's function returns; it is told what was measured of the run, where something was."""
        told = () if self.run is None else (dict(self.run),)
        return self.function(predictions, answers, *told)

    @property
    def files(self) -> list[str]:
        """The plain names of the predictions' files, as project.toml lists them."""
        table = tomllib.loads((self.folder / "project.toml").read_text(encoding="utf-8"))
        return [name for name in table["submission"]["files"] if Path(name).name == name]


def check_plain(folder: Path) -> None:
    """Only plain files that can be read, and folders, lie below ``folder``.

    Raises:
        RefusedError: names what is something else.
    """
    count = 0
    # A list of what is still to be looked at, for a thousand folders inside one another would end a recursion.
    left = [folder]
    while left:
        for path in _children(left.pop()):
            count += 1
            if count > MAX_FILES:
                raise RefusedError(f"There are more than {MAX_FILES:,} files in out/.")
            if _is_folder(path, shown=_printable(str(path.relative_to(folder)))):
                left.append(path)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise RefusedError("A folder in out/ can't be read.") from error


def _is_folder(path: Path, *, shown: str) -> bool:
    """Whether it is a folder; if not, it is a plain file that can be read."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise RefusedError(
            f"{shown} in out/ can't be looked at: its name is too long, or its folder is closed."
        ) from error
    is_folder = stat.S_ISDIR(mode)
    if not (is_folder or stat.S_ISREG(mode)):
        raise RefusedError(f"{shown} in out/ is a link or a device; write plain files.")
    if not os.access(path, os.R_OK | os.X_OK if is_folder else os.R_OK):
        raise RefusedError(f"{shown} in out/ can't be read; leave its permissions as they are.")
    return is_folder


def _printable(text: str) -> str:
    """``text`` without control characters, short."""
    clean = "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
    return clean if len(clean) <= MAX_MESSAGE else clean[: MAX_MESSAGE - 1] + "…"


def measured_in(file: Path) -> dict[str, float]:
    """The numbers that were measured of the run.

    Raises:
        OSError, ValueError: there is no such file, or it holds something else.
    """
    held = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(held, dict) or not all(type(value) in (int, float) for value in held.values()):
        raise ValueError(f"{file.name} must hold numbers by name")
    return {name: float(value) for name, value in held.items()}


def plain_metrics(metrics: Any) -> dict[str, float]:
    """Finite numbers under short names.

    Raises:
        ValueError: the project's function returned something else.
    """
    if not isinstance(metrics, Mapping) or not metrics:
        raise ValueError("evaluate() must return a dict of metrics")
    plain = {}
    for name, value in metrics.items():
        number = float(value)
        if not isinstance(name, str) or not name.isidentifier() or not math.isfinite(number):
            raise ValueError(f"metric {name!r} is {value!r}; it must be a finite number under a plain name")
        plain[name] = number
    return plain


def verdict(project: Project, *, predictions: Path, answers: Path) -> dict[str, object]:
    """What is printed."""
    try:
        check_plain(predictions)
        metrics = plain_metrics(project.evaluate(predictions, answers))
    except (RefusedError, *project.invalid) as refusal:
        return {"invalid": _printable(str(refusal)) or "The predictions were refused."}
    if not (answers / SHOWN_IDS).exists():
        return {"metrics": metrics}
    return {"metrics": metrics, "shown": shown_metrics(project, predictions=predictions, answers=answers)}


def shown_metrics(project: Project, *, predictions: Path, answers: Path) -> dict[str, float]:
    """The metrics on the rows that interns see the score of. The predictions were accepted as a whole before.

    Raises:
        Exception: whatever goes wrong now is the project's fault.
    """
    shown = frozenset(json.loads((answers / SHOWN_IDS).read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as scratch:
        parts = Path(scratch, "predictions"), Path(scratch, "answers")
        for part in parts:
            part.mkdir()
        for name in project.files:
            # A table that can't be read here was none that ``evaluate`` accepted: it reads another of the named files.
            if (predictions / name).is_file():
                try_to_cut(predictions / name, shown=shown, into=parts[0])
        for path in sorted(answers.iterdir()):
            if path.name != SHOWN_IDS and not try_to_cut(path, shown=shown, into=parts[1]):
                (parts[1] / path.name).symlink_to(path.resolve())
        return plain_metrics(project.evaluate(*parts))


def try_to_cut(path: Path, *, shown: frozenset[str], into: Path) -> bool:
    """Write the rows of these ids to a file of the same name; False for what is no table with ids."""
    cut = {".npz": cut_npz, ".csv": cut_csv, ".json": cut_json, ".safetensors": cut_safetensors}.get(path.suffix)
    try:
        return cut is not None and path.is_file() and cut(path, shown=shown, to=into / path.name)
    except BROKEN as error:
        print(f"{path.name} is not cut to the shown rows: {error}", file=sys.stderr)
        (into / path.name).unlink(missing_ok=True)
        return False


def cut_csv(path: Path, *, shown: frozenset[str], to: Path) -> bool:
    """The header and the rows whose ``id`` is shown."""
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError("it is too large")
    with path.open(encoding="utf-8", newline="") as read:
        rows = csv.reader(read, strict=True)
        header = next(rows, [])
        if "id" not in header:
            return False
        place = header.index("id")
        kept = [row for row in rows if place < len(row) and plain_id(row[place]) in shown]
    with to.open("w", encoding="utf-8", newline="") as written:
        csv.writer(written, lineterminator="\n").writerows([header, *kept])
    return True


def cut_json(path: Path, *, shown: frozenset[str], to: Path) -> bool:
    """The objects of the list whose ``id`` is shown; another JSON than a list of objects with ids is no table."""
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError("it is too large")
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        return False
    to.write_text(json.dumps([row for row in rows if plain_id(str(row["id"])) in shown]), encoding="utf-8")
    return True


def cut_safetensors(path: Path, *, shown: frozenset[str], to: Path) -> bool:
    """Every tensor with a row for each id, cut to the rows whose ``id`` (int64 or uint8) is shown."""
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise ValueError("it is too large")
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = {name: said for name, said in json.loads(content[8:start]).items() if name != "__metadata__"}
    if "id" not in header:
        return False
    keep = [plain_id(str(number)) in shown for number in _tensor_ids(header["id"], content[start:])]
    made, kept, end = {}, [], 0
    for name, said in header.items():
        values = content[start + said["data_offsets"][0] : start + said["data_offsets"][1]]
        shape = said["shape"]
        if shape[:1] == [len(keep)]:
            width = len(values) // len(keep) if keep else 0
            pieces = (values[at : at + width] for at in range(0, len(values), width or 1))
            values, shape = b"".join(compress(pieces, keep)), [sum(keep), *shape[1:]]
        made[name] = {"dtype": said["dtype"], "shape": shape, "data_offsets": [end, end + len(values)]}
        kept.append(values)
        end += len(values)
    text = json.dumps(made).encode()
    to.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(kept))
    return True


def _tensor_ids(said: Mapping[str, Any], values: bytes) -> Sequence[int]:
    first, last = said["data_offsets"]
    if said["dtype"] == "U8":
        return values[first:last]
    if said["dtype"] != "I64":
        raise ValueError("the tensor id is not one whole number a row")
    return struct.unpack(f"<{(last - first) // 8}q", values[first:last])


def cut_npz(path: Path, *, shown: frozenset[str], to: Path) -> bool:
    """Every array with a row for each id, cut to the rows whose ``id`` is shown; other arrays as they are."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MAX_TABLE_BYTES:
            raise ValueError("its arrays are too large")
        members = {entry.filename: archive.open(entry).read(entry.file_size) for entry in archive.infolist()}
    if "id.npy" not in members:
        return False
    keep = [text in shown for text in ids_of(members["id.npy"])]
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, cut_rows(content, keep=keep))
    return True


def cut_rows(content: bytes, *, keep: list[bool]) -> bytes:
    """An ``.npy`` file with the kept rows, if it has as many rows as ``keep`` says; else the same bytes."""
    header, shape = _header_of(content)
    if shape[:1] != (len(keep),):
        return content
    size, values = _item_bytes(header), memoryview(content)[header.end() :]
    fortran = header["fortran"] == b"True" and len(shape) > 1
    # Row by row; in Fortran's order each column lies in one piece, and is cut by itself.
    width = size if fortran else size * math.prod(shape[1:])
    pieces = (values[start : start + width] for start in range(0, len(values), width or 1))
    kept = b"".join(compress(pieces, keep * (math.prod(shape[1:]) if fortran else 1)))
    descr = (header["order"] + header["kind"] + header["size"]).decode()
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {(sum(keep), *shape[1:])!r}, }}"
    padded = text + " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + kept


def ids_of(content: bytes) -> list[str]:
    """The ids in an ``.npy`` file of whole numbers or texts, as ``shown-ids.json`` writes them."""
    header, shape = _header_of(content)
    if len(shape) != 1 or header["kind"] not in (b"i", b"u", b"U"):
        raise ValueError("the array id is not one whole number or text a row")
    size, values = _item_bytes(header), content[header.end() :]
    if not size or len(values) != size * shape[0]:
        raise ValueError("the array id is cut short")
    items = (values[start : start + size] for start in range(0, len(values), size))
    big = header["order"] == b">"
    if header["kind"] == b"U":
        return [plain_id(item.decode("utf-32-be" if big else "utf-32-le").rstrip("\0")) for item in items]
    signed = header["kind"] == b"i"
    return [str(int.from_bytes(item, "big" if big else "little", signed=signed)) for item in items]


def plain_id(text: str) -> str:
    """An id as text: a whole number without what is around it, else the text itself."""
    text = text.strip()
    return str(int(text)) if WHOLE.fullmatch(text) else text


def _header_of(content: bytes) -> tuple[re.Match[bytes], tuple[int, ...]]:
    header = NPY.match(content)
    if header is None:
        raise ValueError("it holds an array that is not plain")
    return header, tuple(int(size) for size in header["shape"].split(b",") if size.strip())


def _item_bytes(header: re.Match[bytes]) -> int:
    return int(header["size"]) * (4 if header["kind"] == b"U" else 1)


def answer_line(answer: Mapping[str, object]) -> bytes:
    """One JSON line in UTF-8.

    Raises:
        ValueError: it is too long.
    """
    line = json.dumps(answer, allow_nan=False, ensure_ascii=False).encode() + b"\n"
    if len(line) > MAX_BYTES:
        raise ValueError(f"the answer takes {len(line)} bytes; at most {MAX_BYTES} are allowed")
    return line


def keep_file(name: str, *, source: Path, into: Path, most: int) -> None:
    """Copy a plain file of at most ``most`` bytes as it is; no link is followed, and nothing is copied of anything else."""
    try:
        opened = os.open(source / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return
    with os.fdopen(opened, "rb") as stream:
        content = stream.read(most + 1)
    if len(content) <= most:
        (into / name).write_bytes(content)


def keep_stdout() -> int:
    """A descriptor of the real standard output; from now on everything else printed goes to stderr."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept


def main(argv: Sequence[str] | None = None) -> int:
    """Score; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("project", "predictions", "answers"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="a JSON file of what was measured of the run, for evaluate")
    parser.add_argument("--wait", action="store_true", help="load, print READY, go on at SIGUSR1")
    parser.add_argument("--keep", default="", help="a file of the predictions that is copied before it is scored")
    parser.add_argument("--into", type=Path, help="where to")
    parser.add_argument("--keep-bytes", type=int, default=0, help="at most so many")
    options = parser.parse_args(argv)
    if options.wait:
        # Blocked before anything is loaded, so that none is lost and none comes at a bad moment.
        signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    stdout = keep_stdout()
    project, asked = Project(options.project), signal.SIGUSR1
    if options.wait:
        os.write(stdout, f"{READY}\n".encode())
        asked = signal.sigwait(AWAITED)
        if asked == signal.SIGTERM:
            return STOPPED
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    if options.keep:
        keep_file(options.keep, source=options.predictions, into=options.into, most=options.keep_bytes)
    if asked == signal.SIGUSR2:
        return 0
    if options.run:
        project.run = measured_in(options.run)
    answer = verdict(project, predictions=options.predictions, answers=options.answers)
    os.write(stdout, answer_line(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
