"""Writes the golden cases of a project: ``make_golden.py <project folder>``, run by the workspace's interpreter.

The hidden part comes from toy data split with ``SECRET``, which is known to everyone and used for nothing else, so a
golden case tells nothing about a site's hidden part. Scores and messages are what ``evaluate.py`` says today: read the
difference before it is committed, a golden case is a promise.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import shutil
import struct
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SECRET = hashlib.sha256(b"practicum: golden cases are no secret").digest()
KEPT = 150
SERIES_KEPT = 3  # where a row is a whole series of scores
LOGITS_KEPT = 20  # where a row is a kilobyte
SCORER = Path(__file__).resolve().parents[2] / "images" / "scorer" / "programs"

Columns = dict[str, np.ndarray]
Case = Callable[[Path], None]


def main(project: Path) -> None:
    """Write ``golden/`` of the project anew."""
    sys.path[:0] = [str(project), str(SCORER)]
    data, baseline, evaluate = (importlib.import_module(name) for name in ("data", "baseline", "evaluate"))
    golden = project / "golden"
    shutil.rmtree(golden, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        answers, predicted = baseline_run(data, baseline, work=Path(folder))
    (golden / "answers").mkdir(parents=True)
    np.savez_compressed(golden / "answers" / "answers.npz", **answers)
    (column,) = set(predicted) - {"id"}
    cases = CASES[column](answers, predicted)
    lines = ["# Written by tests/projects/make_golden.py; every case is judged against answers/."]
    for name, write in cases.items():
        (golden / name).mkdir()
        write(golden / name)
        lines += ["", "[[cases]]", f'name = "{name}"', verdict(evaluate, golden, name=name)]
        if (name == "baseline" or name.startswith("perfect")) and column in TOLERANCES:
            lines.append(TOLERANCES[column])
    (golden / "golden.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def baseline_run(data: Any, baseline: Any, *, work: Path) -> tuple[Columns, Columns]:
    """Answers and the baseline's predictions for the first ``KEPT`` hidden items of the toy split."""
    raw, public, private, out = work / "raw", work / "public", work / "private", work / "out"
    out.mkdir()
    data.toy(raw, 0)
    data.split(raw, public, private, SECRET)
    baseline.train(public, work / "artifact", 600.0)
    baseline.predict(work / "artifact", private / "inputs", out)
    predicted = _first(out / "predictions.npz", count=KEPT)
    count = SERIES_KEPT if "score" in predicted else LOGITS_KEPT if "logits" in predicted else KEPT
    answers = _first(private / "answers" / "answers.npz", count=count)
    return answers, {name: values[:count] for name, values in predicted.items()}


def _first(file: Path, *, count: int) -> Columns:
    with np.load(file, allow_pickle=False) as held:
        return {name: held[name][:count] for name in held.files}


def verdict(evaluate: Any, golden: Path, *, name: str) -> str:
    """The case's line in golden.toml: its metrics, or the message of its refusal."""
    try:
        metrics = evaluate.evaluate(golden / name, golden / "answers")
    except evaluate.InvalidSubmission as refusal:
        return f"message = {json.dumps(str(refusal))}"
    return "metrics = { " + ", ".join(f"{key} = {value!r}" for key, value in metrics.items()) + " }"


def npz(**columns: Any) -> Case:
    """A case that hands in these arrays."""
    return lambda folder: np.savez_compressed(folder / "predictions.npz", **columns)


def text(name: str, content: str) -> Case:
    """A case that hands in this text file."""

    def write(folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")

    return write


def cut(case: Case, *, bytes_kept: int) -> Case:
    """The case, with the end of its file gone."""

    def write(folder: Path) -> None:
        case(folder)
        file = folder / "predictions.npz"
        file.write_bytes(file.read_bytes()[:bytes_kept])

    return write


def tensors(*, gap: int = 0, **columns: np.ndarray) -> Case:
    """A .safetensors file; with a ``gap`` the last tensor begins so many bytes later than it may."""

    def write(folder: Path) -> None:
        header, contents, end = {}, [], 0
        for name, values in columns.items():
            first = end + (gap if name == list(columns)[-1] else 0)
            end = first + values.nbytes
            dtype = {"i8": "I64", "f4": "F32", "f8": "F64"}[values.dtype.str[1:]]
            header[name] = {"dtype": dtype, "shape": values.shape, "data_offsets": [first, end]}
            contents.append(np.ascontiguousarray(values).tobytes())
        said = json.dumps(header).encode()
        (folder / "predictions.safetensors").write_bytes(struct.pack("<Q", len(said)) + said + b"".join(contents))

    return write


def header_says_more(ids: np.ndarray) -> Case:
    """An id array whose header promises a thousand million rows."""

    def write(folder: Path) -> None:
        npz(id=ids)(folder)
        with zipfile.ZipFile(folder / "predictions.npz") as held:
            content = held.read("id.npy")
        claimed = content.replace(f"({len(ids)},), }}         ".encode(), b"(1000000000,), }  ", 1)
        with zipfile.ZipFile(folder / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for member in ("id.npy", "label.npy"):
                archive.writestr(zipfile.ZipInfo(member), claimed)

    return write


def shared_cases(ids: np.ndarray, name: str, values: np.ndarray) -> dict[str, Case]:
    """Faults that every kind of predictions can have."""
    twice, unknown = ids.copy(), ids.copy()
    twice[min(7, len(ids) - 1)], unknown[min(3, len(ids) - 1)] = ids[min(2, len(ids) - 2)], 12345
    return {
        "malformed-missing-file": text("notes.txt", "predictions will follow\n"),
        "malformed-names": npz(ids=ids, predictions=values),
        "malformed-pickle": npz(id=ids, **{name: values.astype(object)}),
        "malformed-cut": cut(npz(id=ids, **{name: values}), bytes_kept=400),
        "malformed-duplicate": npz(id=twice, **{name: values}),
        "malformed-unknown-id": npz(id=unknown, **{name: values}),
        "malformed-missing-rows": npz(id=ids[:-2], **{name: values[:-2]}),
        "malformed-extra-rows": npz(id=np.append(ids, 9), **{name: np.concatenate([values, values[:1]])}),
        "malformed-lengths": npz(id=ids, **{name: values[:-1]}),
        "malformed-dtype": npz(id=ids.astype(np.float64), **{name: values}),
    }


def digit_cases(answers: Columns, predicted: Columns) -> dict[str, Case]:
    """The cases of a project whose predictions are one label a row."""
    ids, truth, label = answers["id"], answers["label"], predicted["label"]
    rows = "".join(f"{name},{value}\n" for name, value in zip(ids, truth, strict=True))
    wrong = label.copy()

    def listed(labels: list[object]) -> str:
        return json.dumps([{"id": name, "label": said} for name, said in zip(ids.tolist(), labels, strict=True)])

    wrong[5] = 10
    return {
        "perfect": npz(id=ids, label=truth),
        "perfect-csv": text("predictions.csv", "id,label\n" + rows),
        "perfect-other-order": npz(id=ids[::-1], label=truth[::-1]),
        "baseline": npz(id=ids, label=label),
        "constant": npz(id=ids, label=np.full(len(ids), 3, dtype=np.int64)),
        **shared_cases(ids, "label", label),
        "malformed-range": npz(id=ids, label=wrong),
        "malformed-shape": npz(id=ids, label=np.eye(10, dtype=np.int64)[label]),
        "malformed-header": header_says_more(ids),
        "malformed-csv-nan": text("predictions.csv", f"id,label\n{ids[0]},nan\n"),
        "malformed-csv-header": text("predictions.csv", rows),
        "perfect-json": text("predictions.json", listed(truth.tolist())),
        "perfect-safetensors": tensors(id=ids[::-1], label=truth[::-1]),
        "malformed-json-twice": text("predictions.json", listed(truth.tolist()).replace('"label"', '"id"', 1)),
        "malformed-safetensors-overlap": tensors(id=ids, label=truth, gap=-8),
        "malformed-safetensors-dtype": tensors(id=ids, label=truth.astype(np.float32)),
        "malformed-json-text": text("predictions.json", listed([*truth.tolist()[:-1], "seven"])),
        "malformed-csv-underscore": text(
            "predictions.csv", "id,label\n" + rows.replace(f",{truth[16]}\n", ",1_0\n", 1)
        ),
    }


def code_cases(answers: Columns, predicted: Columns) -> dict[str, Case]:
    """The cases of a project whose predictions are one vector of features a row."""
    ids, code = answers["id"], predicted["code"]
    perfect = np.eye(10, dtype=np.float32)[answers["label"]]
    broken = code.copy()
    broken[4, 2], broken[9, 0] = np.nan, np.inf
    return {
        "perfect": npz(id=ids, code=perfect),
        "perfect-other-order": npz(id=ids[::-1], code=perfect[::-1]),
        "baseline": npz(id=ids, code=code),
        "constant": npz(id=ids, code=np.ones((len(ids), 8), dtype=np.float32)),
        **shared_cases(ids, "code", code),
        "malformed-nan": npz(id=ids, code=broken),
        "malformed-double": npz(id=ids, code=perfect.astype(np.float64)),
        "malformed-shape": npz(id=ids, code=code[:, 0]),
        "malformed-wide": npz(id=ids, code=np.zeros((len(ids), 1025), dtype=np.float32)),
        "perfect-safetensors": tensors(id=ids[::-1], code=perfect[::-1]),
        "malformed-safetensors-nan": tensors(id=ids, code=broken),
        "malformed-safetensors-gap": tensors(id=ids, code=code, gap=8),
        "malformed-empty": npz(id=ids, code=np.zeros((len(ids), 0), dtype=np.float32)),
    }


def probability_cases(answers: Columns, predicted: Columns) -> dict[str, Case]:
    """The cases of a project whose predictions are one distribution over ten classes a row."""
    ids, said = answers["id"], predicted["probability"]
    perfect = np.eye(10, dtype=np.float32)[answers["label"]]
    negative, halved, broken = said.copy(), said.copy(), said.copy()
    negative[5, 3], broken[4, 2] = -0.25, np.nan
    halved[6:9] /= 2
    header = "id," + ",".join(f"probability_{place}" for place in range(10)) + "\n"
    lines = [f"{name}," + ",".join(map(repr, row)) for name, row in zip(ids.tolist(), perfect.tolist(), strict=True)]
    return {
        "perfect": npz(id=ids, probability=perfect),
        "perfect-other-order": npz(id=ids[::-1], probability=perfect[::-1]),
        "perfect-csv": text("predictions.csv", header + "\n".join(lines) + "\n"),
        "perfect-safetensors": tensors(id=ids[::-1], probability=perfect[::-1]),
        "baseline": npz(id=ids, probability=said),
        "constant": npz(id=ids, probability=np.full((len(ids), 10), 0.1, dtype=np.float32)),
        "certain-and-wrong": npz(id=ids, probability=np.roll(perfect, 1, axis=1)),
        **shared_cases(ids, "probability", said),
        "malformed-sums": npz(id=ids, probability=halved),
        "malformed-logits": npz(id=ids, probability=np.log(np.maximum(said, 1e-6))),
        "malformed-negative": npz(id=ids, probability=negative),
        "malformed-nan": npz(id=ids, probability=broken),
        "malformed-double": npz(id=ids, probability=said.astype(np.float64)),
        "malformed-shape": npz(id=ids, probability=said.max(axis=1)),
        "malformed-narrow": npz(id=ids, probability=said[:, :9]),
        "malformed-csv-header": text("predictions.csv", header.replace("_9", "_10") + "\n".join(lines) + "\n"),
        "malformed-csv-cut": text("predictions.csv", header + "\n".join(lines)[:-40]),
        "malformed-safetensors-gap": tensors(id=ids, probability=said, gap=8),
    }


def score_cases(answers: Columns, predicted: Columns) -> dict[str, Case]:
    """The cases of a project whose predictions are one score for each reading of a series."""
    ids, said = answers["id"], predicted["score"]
    perfect = answers["label"].astype(np.float32)
    broken, huge = said.copy(), said.copy()
    broken[1, 7], huge[2, 9] = np.nan, np.inf
    return {
        "perfect": npz(id=ids, score=perfect),
        "perfect-other-order": npz(id=ids[::-1], score=perfect[::-1]),
        "perfect-safetensors": tensors(id=ids[::-1], score=perfect[::-1]),
        "baseline": npz(id=ids, score=said),
        "constant": npz(id=ids, score=np.ones_like(said)),
        "upside-down": npz(id=ids, score=-perfect),
        **shared_cases(ids, "score", said),
        "malformed-nan": npz(id=ids, score=broken),
        "malformed-infinite": npz(id=ids, score=huge),
        "malformed-double": npz(id=ids, score=perfect.astype(np.float64)),
        "malformed-shape": npz(id=ids, score=said.max(axis=1)),
        "malformed-windows": npz(id=ids, score=np.pad(said, ((0, 0), (0, 63)))),
        "malformed-short": npz(id=ids, score=said[:, :-63]),
        "malformed-safetensors-nan": tensors(id=ids, score=broken),
        "malformed-safetensors-gap": tensors(id=ids, score=said, gap=8),
    }


def logit_cases(answers: Columns, predicted: Columns) -> dict[str, Case]:
    """The cases of a project whose predictions are 256 logits a row, of the next byte."""
    ids, said = (
        answers["id"],
        np.rint(predicted["logits"]).astype(np.float32),
    )  # rounded, so that a case is a few kilobytes
    perfect = 1000.0 * np.eye(256, dtype=np.float32)[answers["next"]]
    broken = said.copy()
    broken[4, 2] = np.nan
    return {
        "perfect": npz(id=ids, logits=perfect),
        "perfect-other-order": npz(id=ids[::-1], logits=perfect[::-1]),
        "perfect-raised": npz(id=ids, logits=perfect + np.float32(1e6)),
        "baseline": npz(id=ids, logits=said),
        "constant": npz(id=ids, logits=np.ones((len(ids), 256), dtype=np.float32)),
        "certain-and-wrong": npz(id=ids, logits=np.roll(perfect, 1, axis=1)),
        **shared_cases(ids, "logits", said),
        "malformed-nan": npz(id=ids, logits=broken),
        "malformed-double": npz(id=ids, logits=perfect.astype(np.float64)),
        "malformed-shape": npz(id=ids, logits=answers["next"].astype(np.float32)),
        "malformed-narrow": npz(id=ids, logits=said[:, :65]),
        "perfect-safetensors": tensors(id=ids[::-1], logits=perfect[::-1]),
        "malformed-safetensors-nan": tensors(id=ids, logits=broken),
        "malformed-safetensors-gap": tensors(id=ids, logits=said, gap=8),
    }


CASES = {
    "label": digit_cases,
    "code": code_cases,
    "probability": probability_cases,
    "score": score_cases,
    "logits": logit_cases,
}
TOLERANCES = {
    "code": "tolerance = 0.03  # the probe's last bits depend on the processor; 4 of 150 images",
    "logits": "tolerance = 1e-9  # logarithms may differ in their last bits between processors",
    "probability": "tolerance = 1e-4  # the temperature is found by bisection; its last bits depend on the processor",
}


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
