"""Turns a folder into a submission archive. The same files give the same bytes, so the same digest.

What goes in: ``predict.py`` and the modules beside it, everything under ``artifact/``, ``report.md``, and one notebook,
the one a mentor reviews. Hidden files, caches, links and data never go in; what was left out is said.
"""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from practicum_hub.workspace import errors

# The site's own limits (practicum.config.settings), checked here first so that nobody uploads for nothing.
MAX_BYTES = 300 * 1024**2
MAX_FILES = 2_000
MAX_NOTEBOOK_BYTES = 10 * 1024**2
# The first moment a zip can name.
EPOCH = (1980, 1, 1, 0, 0, 0)
CACHES = frozenset({"__pycache__", "node_modules"})
DATA_FOLDERS = frozenset({"data", "public", "private", "raw"})
NAMED_FILES = 3

SKELETON = """\
def predict(artifact, inputs, out):
    ..."""


@dataclass(frozen=True)
class Member:
    """One file of the archive: its name inside, where it is now, how large."""

    name: str
    path: Path
    size_bytes: int


@dataclass(frozen=True)
class Package:
    """What will be handed in. ``notes`` are sentences about what was left out or chosen."""

    folder: Path
    members: tuple[Member, ...]
    notebook: Path | None
    notes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """Sum over the files, before compression."""
        return sum(member.size_bytes for member in self.members)

    def largest(self, count: int = NAMED_FILES) -> str:
        """The largest files with their sizes, for a person who has to make it smaller."""
        ranked = sorted(self.members, key=lambda member: (-member.size_bytes, member.name))[:count]
        return ", ".join(f"{member.name} ({human_size(member.size_bytes)})" for member in ranked)

    def summary(self) -> str:
        """``4 files, 1.2 MB: artifact/weights.npz, predict.py, …``."""
        names = ", ".join(member.name for member in self.members[:6])
        more = f" and {len(self.members) - 6} more" if len(self.members) > 6 else ""
        count = f"{len(self.members)} file{'' if len(self.members) == 1 else 's'}"
        return f"{count}, {human_size(self.size_bytes)}: {names}{more}"


@dataclass(frozen=True)
class Wanted:
    """What the project takes: ``code`` (predict.py), a ``notebook``, or ``predictions`` in one of ``files``."""

    kind: str = "code"
    files: tuple[str, ...] = ()

    @classmethod
    def by(cls, project_dir: Path) -> Wanted:
        """As the project's own project.toml says; code where it is not there or can't be read."""
        try:
            asked = tomllib.loads((project_dir / "project.toml").read_text(encoding="utf-8"))["submission"]
            return cls(kind=str(asked["kind"]), files=tuple(str(name) for name in asked.get("files", ())))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def given(self, folder: Path) -> list[Path]:
        """The files of ``folder`` that are what the project takes, but for a notebook."""
        names = {"code": ("predict.py",), "predictions": self.files}.get(self.kind, ())
        return [folder / name for name in names if (folder / name).is_file() and not (folder / name).is_symlink()]


def submission_folder(project_dir: Path) -> Path:
    """``submission/`` inside the project where it has what the project takes, else the project folder itself."""
    inside = project_dir / "submission"
    return inside if Wanted.by(project_dir).given(inside) else project_dir


def collect(folder: Path, *, project_dir: Path, notebook: Path | None = None) -> Package:
    """Choose the files of a submission and check them.

    Raises:
        NothingHere: the folder or the notebook is not there.
        NoPredict: what the project takes is not there, or ``predict.py`` does not parse or defines no ``predict``.
        BrokenNotebook: the notebook is not valid JSON, or no notebook.
        PackTooLarge: over a limit of the site.
    """
    if not folder.is_dir():
        raise errors.NothingHere(f"{folder} is not a folder. Name the folder that holds your predict.py.")
    notes: list[str] = []
    chosen = _notebook(folder, project_dir=project_dir, named=notebook, notes=notes)
    wanted = Wanted.by(project_dir)
    _check_wanted(wanted, folder=folder, notebook=chosen)
    paths = dict.fromkeys((*_files(folder, notes=notes), *wanted.given(folder)))
    found = [(path.relative_to(folder).as_posix(), path) for path in paths]
    if chosen is not None:
        _check_notebook(chosen)
        found.append((chosen.name, chosen))
    members = tuple(Member(name=name, path=path, size_bytes=path.stat().st_size) for name, path in sorted(found))
    if folder != project_dir:
        notes += _left_out(folder, members=members)
    package = Package(folder=folder, members=members, notebook=chosen, notes=tuple(notes))
    _check_size(package)
    return package


def write(package: Package, target: Path) -> str:
    """Write the archive to ``target``; returns its sha256. Names are sorted and times fixed.

    Raises: NothingHere: a file vanished, or can't be read, since it was collected.
    """
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for member in package.members:
            entry = zipfile.ZipInfo(member.name, date_time=EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = member.size_bytes
            _copy(member, archive=archive, entry=entry)
    with target.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def human_size(size_bytes: int) -> str:
    """``812 B``, ``1.2 MB``; decimal units, as file browsers show them."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95 or unit == "GB":
            break
    return f"{size:.1f} {unit}"


def _copy(member: Member, *, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    try:
        with member.path.open("rb") as source, archive.open(entry, "w") as sink:
            while chunk := source.read(1 << 20):
                sink.write(chunk)
    except OSError as failure:
        raise errors.NothingHere(f"{member.name} can't be read: {failure.strerror}.") from failure


def _files(folder: Path, *, notes: list[str]) -> Iterator[Path]:
    """predict.py, report.md, the modules beside them, everything under artifact/."""
    yield from _modules(folder, notes=notes)
    report = folder / "report.md"
    if report.is_symlink():
        notes.append(_link_note("report.md"))
    elif report.is_file():
        yield report
    artifact = folder / "artifact"
    if artifact.is_symlink():
        notes.append(_link_note("artifact"))
    elif artifact.is_dir():
        yield from _tree(artifact, folder=folder, notes=notes)


def _modules(folder: Path, *, notes: list[str]) -> Iterator[Path]:
    """Python files of a folder and of the packages in it, which predict.py may import."""
    for path in sorted(folder.iterdir()):
        if _is_never_packed(path) or path.name == "artifact":
            continue
        if path.is_symlink():
            if path.suffix == ".py":
                notes.append(_link_note(path.name))
        elif path.is_file() and path.suffix == ".py":
            yield path
        elif path.is_dir() and path.name not in DATA_FOLDERS and (path / "__init__.py").is_file():
            yield from _modules(path, notes=notes)


def _tree(top: Path, *, folder: Path, notes: list[str]) -> Iterator[Path]:
    for path in sorted(top.iterdir()):
        if _is_never_packed(path):
            continue
        if path.is_symlink():
            notes.append(_link_note(path.relative_to(folder).as_posix()))
        elif path.is_dir():
            yield from _tree(path, folder=folder, notes=notes)
        elif path.is_file():
            yield path


def _is_never_packed(path: Path) -> bool:
    return path.name.startswith(".") or path.name in CACHES or path.suffix == ".pyc"


def _link_note(name: str) -> str:
    return f"{name} is a link and was left out; copy the file itself if predict needs it."


def _left_out(folder: Path, *, members: tuple[Member, ...]) -> list[str]:
    taken = {member.name.split("/")[0] for member in members}
    skipped = [
        path.name
        for path in sorted(folder.iterdir())
        if path.name not in {*taken, "artifact"}
        and path.suffix != ".ipynb"
        and not _is_never_packed(path)
        and not path.is_symlink()
    ]
    if not skipped:
        return []
    return [f"Left out: {', '.join(skipped)}. Files that predict needs go into artifact/."]


def _notebook(folder: Path, *, project_dir: Path, named: Path | None, notes: list[str]) -> Path | None:
    """The one named; else submission.ipynb; else the newest of the folder, else of the project."""
    if named is not None:
        if not named.is_file() or named.suffix != ".ipynb":
            raise errors.NothingHere(f"{named} is not a notebook. Name an .ipynb file.")
        return named
    for place in dict.fromkeys((folder, project_dir)):
        found = [p for p in place.glob("*.ipynb") if p.is_file() and not p.is_symlink() and not p.name.startswith(".")]
        if not found:
            continue
        preferred = place / "submission.ipynb"
        chosen = preferred if preferred in found else max(found, key=lambda p: (p.stat().st_mtime_ns, p.name))
        if len(found) > 1:
            notes.append(f"Of {len(found)} notebooks, {chosen.name} goes along; name another with --notebook.")
        return _newer(chosen, project_dir=project_dir, notes=notes)
    notes.append("No notebook goes along; your mentor will see code and report only.")
    return None


def _newer(chosen: Path, *, project_dir: Path, notes: list[str]) -> Path:
    """The notebook being worked on, where ``chosen`` is an older copy of it."""
    original = project_dir / chosen.name
    if not original.is_file() or original.is_symlink() or original.stat().st_mtime_ns <= chosen.stat().st_mtime_ns:
        return chosen
    notes.append(
        f"{chosen.name} comes from the project folder, where it is newer than its copy in {chosen.parent.name}/."
    )
    return original


def _check_wanted(wanted: Wanted, *, folder: Path, notebook: Path | None) -> None:
    """What the project takes is there."""
    if wanted.kind == "notebook":
        if notebook is None:
            raise errors.NoPredict(f"There is no notebook in {folder}. This project takes one and runs it from clean.")
    elif wanted.kind == "predictions":
        if not wanted.given(folder):
            raise errors.NoPredict(
                f"There is no {' or '.join(wanted.files)} in {folder}. Write your predictions there."
            )
    else:
        _check_predict(folder / "predict.py")


def _check_predict(path: Path) -> None:
    if path.is_symlink():
        raise errors.NoPredict(f"{path.name} is a link. Replace it by the file itself.")
    if not path.is_file():
        raise errors.NoPredict(
            f"There is no predict.py in {path.parent}. Write one there that defines\n\n{SKELETON}\n\n"
            "It reads the test inputs from the folder inputs and writes its predictions into the folder out."
        )
    try:
        module = ast.parse(path.read_bytes(), filename="predict.py")
    except SyntaxError as failure:
        raise errors.NoPredict(f"predict.py does not parse: line {failure.lineno}: {failure.msg}.") from failure
    except ValueError as failure:
        raise errors.NoPredict(f"predict.py does not parse: {failure}.") from failure
    if not any(_may_bind_predict(statement) for statement in module.body):
        raise errors.NoPredict(f"predict.py has no function predict. Add to it:\n\n{SKELETON}")


def _may_bind_predict(statement: ast.stmt) -> bool:
    match statement:
        case ast.FunctionDef(name=name):
            return name == "predict"
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Name) and target.id == "predict" for target in targets)
        case ast.ImportFrom(names=names):
            return any((alias.asname or alias.name) in ("predict", "*") for alias in names)
        case ast.If() | ast.Try() | ast.With():
            return any(
                _may_bind_predict(inner) for inner in ast.iter_child_nodes(statement) if isinstance(inner, ast.stmt)
            )
    return False


def _check_notebook(path: Path) -> None:
    if path.stat().st_size > MAX_NOTEBOOK_BYTES:
        raise errors.PackTooLarge(
            f"{path.name} is {human_size(path.stat().st_size)}; a notebook may be {human_size(MAX_NOTEBOOK_BYTES)}. "
            "Clear its largest outputs and save it."
        )
    try:
        content = json.loads(path.read_bytes())
    except json.JSONDecodeError as failure:
        raise errors.BrokenNotebook(
            f"{path.name} is not valid JSON (line {failure.lineno}). Open it, save it again, or name another notebook."
        ) from failure
    except (ValueError, RecursionError) as failure:
        raise errors.BrokenNotebook(f"{path.name} is not valid JSON. Name another notebook.") from failure
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        raise errors.BrokenNotebook(f"{path.name} is JSON, but not a notebook: it has no cells. Name another notebook.")


def _check_size(package: Package) -> None:
    if package.size_bytes > MAX_BYTES:
        raise errors.PackTooLarge(
            f"This is {human_size(package.size_bytes)}; at most {human_size(MAX_BYTES)} can be handed in. "
            f"The largest files: {package.largest()}."
        )
    if len(package.members) > MAX_FILES:
        raise errors.PackTooLarge(
            f"This is {len(package.members)} files; at most {MAX_FILES} can be handed in. "
            "Put many small files of artifact/ into one."
        )
