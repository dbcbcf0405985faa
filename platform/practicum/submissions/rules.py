"""What a submission's archive may be, decided from its directory alone. Pure: no file is opened here.

Words: a *member* is one entry of the archive; its *name* is as the archive spells it, with ``/`` between folders.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from practicum.submissions.errors import BadArchive, SubmissionTooLarge

STORED, DEFLATED = 0, 8
ENCRYPTED_FLAGS = 0x1 | 0x40
LOCAL_HEADER_BYTES = 30
MAX_NAME_BYTES = 200
MAX_DEPTH = 12
SHOWN_CHARACTERS = 80
DRIVE = re.compile(r"[A-Za-z]:")
LEFT_OUT = frozenset({"__MACOSX", "__pycache__", ".ipynb_checkpoints", ".DS_Store"})
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
PREFERRED_NOTEBOOKS = ("submission.ipynb", "start.ipynb")
ARTIFACT = "artifact/"
PREDICT = "predict.py"
NOTEBOOK = ".ipynb"
HOW = "Put predict.py (with a function predict(artifact, inputs, out)) at the top of the zip."


@dataclass(frozen=True)
class Caps:
    """The most a submission may take. ``artifact_bytes`` is for everything under ``artifact/`` together."""

    archive_bytes: int
    total_bytes: int
    artifact_bytes: int
    files: int


@dataclass(frozen=True)
class Member:
    """One entry as the archive's directory describes it; ``mode`` is the Unix mode, 0 where none was recorded."""

    name: str
    bytes: int
    packed_bytes: int
    mode: int
    flags: int
    method: int
    offset: int


@dataclass(frozen=True)
class Wanted:
    """What must be at the top of a submission, by the project's ``submission.kind``.

    ``code`` is run, a ``notebook`` is run from clean, ``predictions`` are scored as they are; ``files`` are their names.
    """

    kind: str = "code"
    files: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """It is what this project runs or scores."""
        if self.kind == "notebook":
            return path.endswith(NOTEBOOK) and "/" not in path
        return path in (self.files if self.kind == "predictions" else (PREDICT,))

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        names = {"code": PREDICT, "notebook": "notebook (.ipynb)"}
        return names.get(self.kind) or " or ".join(self.files)

    @property
    def how(self) -> str:
        """What to do."""
        return HOW if self.kind == "code" else f"Put {self.name} at the top of the zip."


CODE = Wanted()


def shown(name: str) -> str:
    """A name as a message may show it: short, with what can't be seen replaced."""
    clean = "".join("�" if unicodedata.category(c) in UNSEEN else c for c in name)
    return clean if len(clean) <= SHOWN_CHARACTERS else clean[: SHOWN_CHARACTERS - 1] + "…"


def check_name(name: str) -> str:
    """A safe relative path: the name without the ``/`` a folder ends with.

    Raises:
        BadArchive: it leads out of the folder, or holds something that is not the same on every system.
    """
    path = name.removesuffix("/")
    fault = _fault_of(path)
    if fault:
        raise BadArchive(f"'{shown(name)}' in the zip {fault}. Rename it and zip again.", member=shown(name))
    return path


def _fault_of(path: str) -> str:
    parts = path.split("/")
    if any(unicodedata.category(c) in UNSEEN for c in path):
        return "has a character in its name that can't be seen"
    if "\\" in path:
        return "has a backslash in its name"
    if path.startswith("/") or DRIVE.match(path):
        return "is an absolute path; only names inside the folder are taken"
    if ".." in parts:
        return "leads out of the folder"
    if any(part in ("", ".") for part in parts):
        return "has an empty folder name"
    if any(part != part.strip() or part.endswith(".") for part in parts):
        return "has a name that begins or ends with a space, or ends with a dot"
    if len(parts) > MAX_DEPTH or len(path.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        return "has too long a name, or lies too deep"
    return ""


def check_member(member: Member) -> None:
    """It is an ordinary file or folder, packed in the ordinary way.

    Raises:
        BadArchive: it is a link, a device, encrypted, or packed by a method that can't be read piece by piece.
    """
    kind = stat.S_IFMT(member.mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a device or a pipe"
        raise _bad(member, f"is {what}. Put the file itself in its place and zip again.")
    if member.flags & ENCRYPTED_FLAGS:
        raise _bad(member, "is encrypted. Zip again without a password.")
    if member.method not in (STORED, DEFLATED):
        raise _bad(member, "is compressed by an unusual method. Zip again with the ordinary one (deflate).")


def _bad(member: Member, what: str) -> BadArchive:
    return BadArchive(f"'{shown(member.name)}' in the zip {what}", member=shown(member.name))


def check_layout(members: Sequence[Member], *, archive_bytes: int) -> None:
    """No two members share bytes of the archive, and none lies outside of it.

    Raises:
        BadArchive: names the member.
    """
    end = 0
    for member in sorted(members, key=lambda m: m.offset):
        if member.offset < end:
            raise _bad(member, "overlaps another file: the zip is not well made. Zip again.")
        end = member.offset + LOCAL_HEADER_BYTES + len(member.name.encode(errors="replace")) + member.packed_bytes
        if end > archive_bytes:
            raise _bad(member, "is cut short: the zip is not complete. Zip again and upload it once more.")


def check_sizes(members: Sequence[Member], *, caps: Caps) -> None:
    """What the directory promises is within the caps; while unpacking the same caps hold for what really comes.

    Raises:
        SubmissionTooLarge: names the cap.
    """
    if len(members) > caps.files:
        raise SubmissionTooLarge(f"The zip has more than {caps.files:,} files. Put many small files into one.")
    total = sum(member.bytes for member in members)
    if total > caps.total_bytes:
        raise too_large_unpacked(caps)


def too_large_unpacked(caps: Caps) -> SubmissionTooLarge:
    """The refusal of a zip whose content is over the cap."""
    return SubmissionTooLarge(f"Unpacked, this is more than {megabytes(caps.total_bytes)} MB, the most that is taken.")


def check_artifact(files: Iterable[tuple[str, int]], *, caps: Caps) -> None:
    """Everything under ``artifact/`` together is within the project's cap.

    Raises:
        SubmissionTooLarge: it is not.
    """
    total = sum(size for path, size in files if path.startswith(ARTIFACT))
    if total > caps.artifact_bytes:
        raise SubmissionTooLarge(
            f"artifact/ holds {megabytes(total)} MB; this project takes at most {megabytes(caps.artifact_bytes)} MB. "
            "Keep fewer or smaller weights."
        )


def megabytes(count: int) -> str:
    """Binary megabytes with at most one digit after the point."""
    return f"{count / 1024**2:.1f}".removesuffix(".0")


def common_folder(paths: Iterable[str], *, wanted: Wanted = CODE) -> str:
    """``name/`` where all files lie under one top folder that holds what is wanted (a zipped folder); else empty."""
    found = list(paths)
    top = found[0].partition("/")[0] + "/" if found else ""
    is_wrapped = all(path.startswith(top) for path in found)
    return top if is_wrapped and any(wanted.takes(path.removeprefix(top)) for path in found) else ""


def is_left_out(path: str) -> bool:
    """It is what an operating system or an editor leaves lying about, not work."""
    return not LEFT_OUT.isdisjoint(path.split("/"))


def check_distinct(paths: Sequence[str], *, folders: Iterable[str] = ()) -> None:
    """No name is there twice, and none is both file and folder.

    Raises:
        BadArchive: names it.
    """
    taken: set[str] = set()
    parents = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
    above = parents | set(folders)
    for path in paths:
        if path in taken or path in above:
            raise BadArchive(
                f"'{shown(path)}' is in the zip twice. Keep one of them and zip again.", member=shown(path)
            )
        taken.add(path)


def check_complete(paths: Sequence[str], *, wanted: Wanted = CODE) -> None:
    """There is something to run, or to score.

    Raises:
        BadArchive: what this project takes is not at the top.
    """
    if not paths:
        raise BadArchive(f"The zip is empty. {wanted.how}")
    if any(wanted.takes(path) for path in paths):
        return
    deeper = next((path for path in sorted(paths) if wanted.takes(path.rpartition("/")[2])), None)
    where = f" It is at '{shown(deeper)}'; zip the content of that folder." if deeper else f" {wanted.how}"
    raise BadArchive(f"There is no {wanted.name} at the top of the zip.{where}", member=wanted.name)


def pick_notebook(paths: Iterable[str]) -> str:
    """The notebook mentors review: submission.ipynb or start.ipynb at the top, else the first; or empty."""
    found = sorted(
        (path for path in paths if path.endswith(".ipynb") and not path.startswith(ARTIFACT)),
        key=lambda path: (path.count("/"), path),
    )
    preferred = [path for path in PREFERRED_NOTEBOOKS if path in found]
    return next(iter([*preferred, *found]), "")
