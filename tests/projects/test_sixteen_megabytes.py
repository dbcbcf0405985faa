"""sixteen-megabytes: nothing of the hidden text but contexts is given, and bits per byte can't be talked down."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import InProject

pytestmark = pytest.mark.workspace

SLUG = "sixteen-megabytes"

SPLIT = """
import hashlib, hmac, json, pathlib, tempfile
import numpy as np
import data, tales
def split(folder, secret):
    data.split(folder / "raw", folder / secret / "public", folder / secret / "private", secret.encode())
    held = {"text": (folder / secret / "public" / "train.txt").read_bytes()}
    for name in ("inputs/inputs", "answers/answers", "answers/ledger"):
        with np.load(folder / secret / "private" / f"{name}.npz") as arrays:
            held[name.split("/")[-1]] = {key: arrays[key] for key in arrays.files}
    return held
place = tempfile.TemporaryDirectory()
folder = pathlib.Path(place.name)
"""

SPEECHES = """
random = np.random.default_rng(0)
lines = ["".join(chr(97 + letter) for letter in random.integers(0, 26, 60)) for _ in range(3000)]
text = "".join(f"WHO:\\n{line}\\n\\n" for line in lines).encode()
data.write_raw(folder / "raw", text, name="tinyshakespeare")
"""

JUDGED = """
import pathlib, tempfile
import numpy as np
import evaluate
count = 400
random = np.random.default_rng(0)
ids, following = np.arange(count, dtype=np.int64), random.integers(0, 256, count).astype(np.uint8)
def judged(logits, order=slice(None)):
    with tempfile.TemporaryDirectory() as folder:
        out, answers = pathlib.Path(folder, "out"), pathlib.Path(folder, "answers")
        out.mkdir(), answers.mkdir()
        np.savez(out / "predictions.npz", id=ids[order], logits=logits.astype(np.float32)[order])
        np.savez(answers / "answers.npz", id=ids, next=following)
        return evaluate.evaluate(out, answers)
truth = np.eye(256)[following]
"""


def test_no_context_holds_an_answer_and_no_two_contexts_touch(in_project: InProject) -> None:
    code = """
a = split(folder, "a")
context, answer = a["inputs"]["context"], a["answers"]["next"]
starts = [text.find(row.tobytes()) for row in context]
assert all(text.count(row.tobytes()) == 1 for row in context[:50])
assert all(text[start + data.CONTEXT] == byte for start, byte in zip(starts, answer))
starts.sort()
print(min(b - a for a, b in zip(starts, starts[1:])) >= data.CONTEXT + 1 + data.GAP, context.shape[1], context.dtype)
"""
    assert in_project(SLUG, SPLIT + SPEECHES + code) == "True 128 uint8\n"


def test_whole_blocks_are_hidden_and_the_secret_decides_which(in_project: InProject) -> None:
    code = """
a, b = split(folder, "a"), split(folder, "b")
blocks = data.blocks_of(text)
assert b"".join(blocks) == text and all(block.endswith(b"\\n\\n") and len(block) >= data.BLOCK for block in blocks[:-1])
hidden = {place for place, block in enumerate(blocks) if block not in a["text"]}
assert hidden == set(a["ledger"]["group"][a["ledger"]["part"] == 1].tolist())
share = sum(len(blocks[place]) for place in hidden) / len(text)
assert len(a["text"]) + sum(len(blocks[place]) for place in hidden) == len(text)
print(0.24 < share < 0.30, all(row.tobytes() not in a["text"] for row in a["inputs"]["context"]))
print(a["text"] != b["text"], set(a["inputs"]["id"].tolist()).isdisjoint(b["inputs"]["id"].tolist()))
"""
    assert in_project(SLUG, SPLIT + SPEECHES + code).split() == ["True"] * 4


def test_the_toys_hidden_tales_are_told_by_the_secret_alone(in_project: InProject) -> None:
    code = """
data.toy(folder / "raw", 0)
a, b = split(folder, "a"), split(folder, "b")
told = {place: tales.told(hmac.digest(place.encode(), b"hidden tales", hashlib.sha256).hex(), least_bytes=300_000)[0]
        for place in "ab"}
print(a["text"] == b["text"], all(row.tobytes() in told["a"] for row in a["inputs"]["context"][:200]))
rows = a["inputs"]["context"][:, -60:]
print(sum(row.tobytes() in a["text"] for row in rows) / len(rows) < 0.1)
floor = json.loads((folder / "a" / "private" / "answers" / "floor.json").read_text())["source_bits_per_byte"]
print(0.30 < floor < 0.35)
"""
    assert in_project(SLUG, SPLIT + code).split() == ["True"] * 4


def test_the_same_seed_tells_the_same_tales_whose_bits_are_those_of_their_choices(in_project: InProject) -> None:
    code = """
import hashlib, math
import tales
text, bits = tales.told("public 0", least_bytes=2000)
print(hashlib.sha256(text).hexdigest()[:16], round(bits, 6))
teller = tales.Teller("x")
teller.pick(tales.NAMES), teller.number(most=20), teller.happens(0.25)
print(any(math.isclose(teller.bits, math.log2(24) + math.log2(20) - math.log2(share)) for share in (0.25, 0.75)))
"""
    digest, bits, same = in_project(SLUG, code).split()

    assert (digest, float(bits)) == ("b0f92e7b8e61b35f", pytest.approx(703.497273))
    assert same == "True"


def test_bits_per_byte_is_that_of_probabilities_that_add_up_to_one(in_project: InProject) -> None:
    code = """

print(judged(np.zeros((count, 256)))["bits_per_byte"], judged(1000 * truth)["bits_per_byte"])
print(round(judged(truth * np.log(255.0))["bits_per_byte"], 6))
"""
    assert in_project(SLUG, JUDGED + code).split() == ["8.0", "0.0", "1.0"]


def test_nobody_talks_bits_down_by_promising_more_than_there_is(in_project: InProject) -> None:
    code = """
said = random.normal(size=(count, 256))
fair = judged(said)
print(np.isclose(judged(said + 1e4)["bits_per_byte"], fair["bits_per_byte"], atol=1e-3))
print(judged(np.full((count, 256), 3e38))["bits_per_byte"])
print(judged(said, order=slice(None, None, -1)) == fair)
print(judged(1e30 * np.roll(truth, 1, axis=1))["bits_per_byte"] > 1e29)
deviation = fair["standard_error"] * count**0.5
print(0.5 < deviation < 3)
"""
    assert in_project(SLUG, JUDGED + code).split() == ["True", "8.0", "True", "True", "True"]


def test_local_holds_the_text_against_its_checksum(tmp_path: Path, in_project: InProject) -> None:
    code = f"""
import pathlib
import data
folder = pathlib.Path({str(tmp_path)!r})
(folder / "tinyshakespeare").mkdir()
(folder / "tinyshakespeare" / "input.txt").write_bytes(b"another text")
try:
    data.local(folder / "raw", folder)
except ValueError as error:
    print(error)
"""
    said = in_project(SLUG, code)

    assert said == "tinyshakespeare/input.txt is not the file named in project.toml\n"


def test_the_transformer_never_looks_ahead(in_project: InProject) -> None:
    code = """
import torch
import baseline
torch.manual_seed(0)
model = baseline.Transformer(baseline.TOY).eval()
seen = torch.randint(0, 256, (4, 24))
other = seen.clone()
other[:, 12:] = torch.randint(0, 256, (4, 12))
with torch.inference_mode():
    one, two = model(seen), model(other)
print(tuple(one.shape), torch.allclose(one[:, :12], two[:, :12], atol=1e-6), torch.allclose(one[:, 12:], two[:, 12:], atol=1e-3))
"""
    assert in_project(SLUG, code) == "(4, 24, 256) True False\n"


def test_the_artifact_of_the_largest_recipe_fits(in_project: InProject) -> None:
    code = """
import tomllib
import baseline
weights = sum(weight.numel() for weight in baseline.Transformer(baseline.CUDA).parameters())
print(2 * weights < LARGEST * 2**20)
"""
    toml = Path(__file__).resolve().parents[2] / "projects" / SLUG / "project.toml"
    assert "artifact_mb = 16" in toml.read_text(encoding="utf-8")
    assert in_project(SLUG, code.replace("LARGEST", "16")) == "True\n"
