"""How much a frozen code of the hidden images says about their labels, judged by a linear probe.

Reads ``predictions.npz`` with ``id`` (n,) int64 and ``code`` (n, d) float32, d at most 1,024, never a pickle. The
hidden images are in two folds. A softmax regression is fitted to the codes and labels of one fold and judged on the
other, then the other way round, so every hidden image is judged once by a probe that hasn't seen it. The probe
standardises each feature on its own fold and picks its L2 penalty on every fifth image of that fold. All of it is
full-batch and without random numbers: the same two folders give the same numbers, whatever the order of rows.

Whatever the intern can mend is an ``InvalidSubmission``; its message is shown to the intern as it is.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

MAX_FEATURES = 1024
MAX_BYTES = 64 << 20  # 5,000 codes of 1,024 float32 take 20 MiB
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
STEPS = 150
NEIGHBOURS = 10
NPY = re.compile(
    rb"\x93NUMPY[\x01-\x03]\x00(?:..|.{4})\{'descr': '(?P<dtype>[^']{1,9})', 'fortran_order': (?P<fortran>False|True), "
    rb"'shape': \((?P<shape>[0-9, ]{0,60})\), \} *\n",
    re.DOTALL,
)
NAMES = {"<f8": "float64", "<f2": "float16", "<i8": "int64", "<i4": "int32", "|u1": "uint8", "|b1": "bool"}
BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
HOW = (
    "Write np.savez(out / 'predictions.npz', id=ids, code=codes): ids int64 (n,), codes float32 (n, d), "
    f"d at most {MAX_FEATURES}, one row for each id of inputs.npz."
)


class InvalidSubmission(Exception):
    """The intern can mend this; the message says how."""


def evaluate(predictions: Path, answers: Path) -> dict[str, float]:
    """``probe_accuracy``, ``knn_accuracy``, the code's ``dimensions`` and the ``active_share`` of its entries.

    Raises:
        InvalidSubmission: the codes can't be read, or are not one finite code for each hidden image.
    """
    with np.load(answers / "answers.npz", allow_pickle=False) as held:
        ids, label, fold = held["id"], held["label"], held["fold"]
    code = _in_order(*_read(predictions), wanted=ids)
    probe, neighbours = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
    for judged in (0, 1):
        fitted = fold != judged
        seen, unseen = standardised(code[fitted], code[~fitted])
        weights = fitted_probe(seen, label[fitted], classes=int(label.max()) + 1)
        probe[~fitted] = predicted(weights, unseen) == label[~fitted]
        neighbours[~fitted] = nearest_labels(seen, label[fitted], unseen) == label[~fitted]
    return {
        "probe_accuracy": float(probe.mean()),
        "knn_accuracy": float(neighbours.mean()),
        "dimensions": float(code.shape[1]),
        "active_share": float((code != 0).mean()),
    }


def standardised(seen: np.ndarray, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays (n, d), shifted and scaled by the mean and deviation of the first; a constant feature becomes 0."""
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    scale = np.where(deviation > 1e-6 * (1.0 + np.abs(mean)), deviation, np.inf)
    scaled = ((seen - mean) / scale, np.clip((unseen - mean) / scale, -10.0, 10.0))
    return scaled[0].astype(np.float32), scaled[1].astype(np.float32)


def fitted_probe(x: np.ndarray, label: np.ndarray, *, classes: int) -> np.ndarray:
    """Weights (d + 1, classes) of a softmax regression; the penalty is picked on every fifth row, then all are used."""
    held_out = np.arange(len(x)) % 5 == 0
    tried = softmax_regressions(x[~held_out], label[~held_out], classes=classes, penalties=PENALTIES)
    scores = [float((predicted(weights, x[held_out]) == label[held_out]).mean()) for weights in tried]
    return softmax_regressions(x, label, classes=classes, penalties=PENALTIES[int(np.argmax(scores)) :][:1])[0]


def softmax_regressions(
    x: np.ndarray, label: np.ndarray, *, classes: int, penalties: tuple[float, ...]
) -> list[np.ndarray]:
    """One softmax regression, weights (d + 1, classes), for each penalty; all are fitted together.

    ``STEPS`` full-batch steps of Nesterov's method with the step 1 / L, where L bounds the curvature: half the largest
    eigenvalue of the features' second moments, plus the penalty.
    """
    inputs = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    target = np.eye(classes, dtype=np.float32)[label][:, None, :]  # (n, 1, classes)
    penalty = np.array(penalties, dtype=np.float32)[None, :, None]
    step_size = 1.0 / (0.5 * _largest_moment(inputs) + penalty)
    shape = (inputs.shape[1], len(penalties), classes)
    ahead, before = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    decayed = np.ones((shape[0], 1, 1), dtype=np.float32)
    decayed[-1] = 0.0  # the intercept isn't
    for step in range(1, STEPS + 1):
        logits = (inputs @ ahead.reshape(shape[0], -1)).reshape(len(x), *shape[1:])  # (n, penalties, classes)
        error = (_softmax(logits) - target).reshape(len(x), -1)
        gradient = (inputs.T @ error).reshape(shape) / np.float32(len(x)) + penalty * decayed * ahead
        weights = ahead - step_size * gradient
        ahead = weights + np.float32(step / (step + 3)) * (weights - before)
        before = weights
    return [before[:, place] for place in range(len(penalties))]


def predicted(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The most likely label of each row of x (n, d)."""
    return (x @ weights[:-1] + weights[-1]).argmax(axis=1)


def nearest_labels(known: np.ndarray, label: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The commonest label among the ``NEIGHBOURS`` rows of ``known`` with the largest cosine, for each of ``asked``."""
    likeness = _unit(asked) @ _unit(known).T
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.zeros((len(asked), int(label.max()) + 1))
    np.add.at(votes, (np.arange(len(asked))[:, None], label[nearest]), 1.0)
    return votes.argmax(axis=1)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _largest_moment(inputs: np.ndarray) -> np.float32:
    """The largest eigenvalue of inputs.T @ inputs / n: 30 power iterations from a fixed start, raised by a tenth."""
    vector = np.linspace(1.0, 1.01, inputs.shape[1], dtype=np.float32)
    for _ in range(30):
        vector = inputs.T @ (inputs @ (vector / np.linalg.norm(vector))) / np.float32(len(inputs))
    return np.float32(1.1) * np.float32(np.linalg.norm(vector))


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The arrays id (n,) and code (n, d) as they were handed in."""
    file = folder / "predictions.npz"
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise InvalidSubmission("predictions.npz is a link or a folder; it must be a plain file.")
    if not file.exists():
        raise InvalidSubmission(f"There is no predictions.npz in out/. {HOW}")
    if file.stat().st_size > MAX_BYTES:
        raise InvalidSubmission(f"predictions.npz has {file.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
            names = sorted(archive.namelist())
            if names != ["code.npy", "id.npy"]:
                listed = ", ".join(name.removesuffix(".npy") for name in names) or "none"
                raise InvalidSubmission(f"predictions.npz must hold the arrays id and code; it holds: {listed}. {HOW}")
            ids = _array(_member(archive, "id"), name="id", dtype="<i8", axes=1)
            return ids, _array(_member(archive, "code"), name="code", dtype="<f4", axes=2)
    except BROKEN as error:
        raise InvalidSubmission(f"predictions.npz can't be read as an .npz file ({error}). {HOW}") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one array, judged by the archive's own directory before anything is unpacked."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > MAX_BYTES:
        raise InvalidSubmission(f"The array {name} takes more than {MAX_BYTES:,} bytes. {HOW}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidSubmission(f"The array {name} is packed in a way numpy doesn't write. {HOW}")
    return archive.read(entry)


def _array(content: bytes, *, name: str, dtype: str, axes: int) -> np.ndarray:
    """The array in the bytes of an .npy file. Its header is matched, never evaluated."""
    header = NPY.match(content)
    if header is None:
        raise InvalidSubmission(f"The array {name} is not a plain array of numbers. {HOW}")
    found, shape = (
        header["dtype"].decode("latin-1"),
        tuple(int(size) for size in header["shape"].split(b",") if size.strip()),
    )
    if "O" in found:
        raise InvalidSubmission(f"The array {name} holds Python objects (a pickle), which are never read. {HOW}")
    if found != dtype:
        wanted, found = np.dtype(dtype).name, NAMES.get(found, found)
        raise InvalidSubmission(
            f"The array {name} has dtype {found}; it must be {wanted}: use {name}.astype(np.{wanted})."
        )
    if len(shape) != axes:
        wanted = "(n,)" if axes == 1 else "(n, d)"
        raise InvalidSubmission(f"The array {name} has shape {shape}; it must be {wanted}. {HOW}")
    values = np.frombuffer(content, dtype=dtype, offset=header.end()) if _fits(content, header, dtype=dtype) else None
    if values is None or values.size != int(np.prod([float(size) for size in shape])):
        raise InvalidSubmission(f"The array {name} is cut short or too long: its header says shape {shape}. {HOW}")
    return values.reshape(shape, order="F" if header["fortran"] == b"True" else "C")


def _fits(content: bytes, header: re.Match[bytes], *, dtype: str) -> bool:
    return (len(content) - header.end()) % np.dtype(dtype).itemsize == 0


def _in_order(given_ids: np.ndarray, code: np.ndarray, *, wanted: np.ndarray) -> np.ndarray:
    """The codes (n, d) in the order of ``wanted``, float64: each hidden image once, every entry finite."""
    if len(given_ids) != len(code):
        raise InvalidSubmission(f"id has {len(given_ids)} rows and code has {len(code)}; they must be equal.")
    if not 1 <= code.shape[1] <= MAX_FEATURES:
        raise InvalidSubmission(f"The code has {code.shape[1]} columns; it must have from 1 to {MAX_FEATURES}.")
    broken = np.argwhere(~np.isfinite(code))
    if broken.size:
        row, column = (int(place) for place in broken[0])
        raise InvalidSubmission(
            f"Row {row}, column {column} of code is {code[row, column]}; all must be finite ({len(broken)} aren't)."
        )
    order = np.argsort(given_ids, kind="stable")
    ranked = given_ids[order]
    twice = np.flatnonzero(ranked[1:] == ranked[:-1])
    if twice.size:
        first, second = int(order[twice[0]]), int(order[twice[0] + 1])
        raise InvalidSubmission(
            f"Rows {first} and {second}: the id {int(ranked[twice[0]])} is there twice; give each image one code."
        )
    unknown = np.flatnonzero(~np.isin(given_ids, wanted))
    if unknown.size:
        row = int(unknown[0])
        raise InvalidSubmission(
            f"Row {row}: {int(given_ids[row])} is not an id of inputs.npz ({unknown.size} such in all). "
            "Copy the array id of inputs.npz."
        )
    missing = np.count_nonzero(~np.isin(wanted, given_ids))
    if missing:
        raise InvalidSubmission(
            f"{missing} of the {len(wanted)} images have no row: write a code for every id of inputs.npz."
        )
    return code[order[np.searchsorted(ranked, wanted)]].astype(np.float64)
