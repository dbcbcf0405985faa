"""Chips of flood-lines keep their events whole, their masks turn with them, and what is downloaded is verified."""

from __future__ import annotations

import pytest

from .conftest import InProject

pytestmark = pytest.mark.workspace
SLUG = "flood-lines"

PARTS = """
import numpy as np
import data
event = np.repeat(np.arange(11), 20)
part, other = (data.parts(event, secret=secret) for secret in (b"a", b"b"))
whole = all(len(set(part[event == name])) == 1 for name in set(event.tolist()))
print(whole, 66 <= part.sum() <= 80, (part != other).any())
"""

TURNED = """
import numpy as np
import data
random = np.random.default_rng(0)
label = (random.random((64, 64)) < 0.3).astype(np.int8)
label[:5, :9] = -1
bands = np.where(label == 1, -20.0, -8.0)[:, :, None].repeat(2, axis=2).astype(np.float32)
bands[label < 0] = np.nan
drift = np.array([0.7, -0.4])
seen, alike = set(), []
for seed in range(40):
    chip, mask = data.seen_again(bands, label, drift=drift, seed=seed)
    seen.add(mask.tobytes())
    alike.append(np.array_equal(np.isnan(chip[:, :, 0]), mask < 0) and np.array_equal(chip[:, :, 0] < -14, mask == 1))
    brighter = np.nanmean(chip[mask == 0] + 8.0, axis=0)
    assert np.allclose(brighter, drift, atol=0.03), brighter
print(len(seen), all(alike), chip.dtype, mask.dtype)
"""

SCORE = """
import pathlib, tempfile
import numpy as np
import data, evaluate
water = np.zeros((2, 64, 64), dtype=bool)
water[0, :32] = True  # half of the first chip
water[1, :16] = True  # a quarter of the second
known = np.ones_like(water)
known[:, 48:] = False
said = np.zeros_like(water)
said[0, :16] = True  # half of what is there
said[1, :32] = True  # twice what is there
said[:, 60:] = True  # where nobody knows: counts for nothing
with tempfile.TemporaryDirectory() as folder:
    out, answers = pathlib.Path(folder, "out"), pathlib.Path(folder, "answers")
    out.mkdir(), answers.mkdir()
    facts = {"water": data.packed(water), "known": data.packed(known), "event": np.array([4, 7])}
    np.savez(answers / "answers.npz", id=np.array([1, 2], dtype=np.int64), **facts)

    def score(masks):
        np.savez(out / "predictions.npz", id=np.array([2, 1], dtype=np.int64), water=data.packed(masks)[::-1])
        return evaluate.evaluate(out, answers)

    print(score(said) == {"water_iou": 0.5, "mean_iou": 0.5, "worst_event": 0.5}, score(water))
    said[1] = False
    print(score(said)["worst_event"], score(said & False)["water_iou"])
    np.savez(out / "predictions.npz", id=np.array([1, 2], dtype=np.int64), water=np.zeros((2, 4096), dtype=np.uint8))
    try:
        evaluate.evaluate(out, answers)
    except evaluate.InvalidSubmission as refused:
        print(refused)
"""

FETCH = """
import base64, hashlib, io, json, pathlib, tempfile, urllib.parse
import numpy as np
import tifffile
import data
random = np.random.default_rng(0)
chips = {}
for name in ("Bolivia_103757", "Ghana_1", "Bolivia_2"):
    for kind, image in (("S1Hand", random.normal(-12, 3, (2, 8, 8))), ("LabelHand", random.integers(-1, 2, (8, 8)))):
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            way = {"planarconfig": "separate", "compression": "zlib"} if kind == "S1Hand" else {}
            image = image.astype(np.float32 if kind == "S1Hand" else np.int16)
            writer.write(image, photometric="minisblack", **way)
        chips[f"{data.LABELLED}/{kind}/{name}_{kind}.tif"] = file.getvalue()
spoilt = set()

def answer(url, timeout):
    asked = urllib.parse.urlsplit(url)
    if asked.path.endswith("/o"):
        query = dict(urllib.parse.parse_qsl(asked.query))
        found = [name for name in sorted(chips) if name.startswith(query["prefix"])]
        first = int(query.get("pageToken", 0))
        page = {"items": [item(name) for name in found[first : first + 2]]}
        return io.BytesIO(json.dumps(page | ({"nextPageToken": "2"} if first + 2 < len(found) else {})).encode())
    name = urllib.parse.unquote(asked.path).removeprefix("/sen1floods11/")
    return io.BytesIO(chips[name][: -1 if name in spoilt else None])

def item(name):
    return {"name": name, "size": str(len(chips[name])), "md5Hash": base64.b64encode(hashlib.md5(chips[name]).digest()).decode()}

data.urllib.request.urlopen = answer
data.CHIPS = 3
with tempfile.TemporaryDirectory() as folder:
    raw = pathlib.Path(folder)
    data.fetch(raw)
    with np.load(raw / "chips.npz") as held:
        kept = json.loads((raw / "objects.json").read_text())
        print(held["bands"].shape, held["label"].dtype, held["event"].tolist(), len(kept))
    (raw / "Ghana_1_S1Hand.tif").unlink()
    spoilt.add(f"{data.LABELLED}/S1Hand/Ghana_1_S1Hand.tif")
    try:
        data.fetch(raw)
    except ValueError as error:
        print(error, (raw / "Ghana_1_S1Hand.tif").exists())
    data.CHIPS = 446
    try:
        data.fetch(raw)
    except ValueError as error:
        print(str(error)[-60:])
"""

PACKED = """
import pathlib, tempfile
import numpy as np
import tifffile
from PIL import Image
import data
random = np.random.default_rng(0)
pictures = (
    random.normal(-12, 3, (130, 70)).astype(np.float32),
    (random.random((200, 90)) < 0.01).astype(np.uint8),
    np.full((64, 64), 7, dtype=np.uint8),
)
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "chip.tif")
    for picture in pictures:
        for way in ("tiff_lzw", "tiff_adobe_deflate", "raw"):
            Image.fromarray(picture).save(file, compression=way)
            assert np.array_equal(data.read_tiff(file), picture[:, :, None]), way
    bands = random.normal(size=(2, 100, 130)).astype(np.float32)
    for way in ({}, {"tile": (64, 48)}, {"tile": (32, 48), "compression": "zlib"}):
        for order in "<>":
            with tifffile.TiffWriter(file, byteorder=order) as writer:
                writer.write(bands, photometric="minisblack", planarconfig="separate", **way)
            assert np.array_equal(data.read_tiff(file), np.moveaxis(bands, 0, 2)), way
            with tifffile.TiffWriter(file, byteorder=order) as writer:
                writer.write(np.moveaxis(bands, 0, 2), photometric="minisblack", planarconfig="contig", **way)
            assert np.array_equal(data.read_tiff(file), np.moveaxis(bands, 0, 2)), way
    Image.fromarray(pictures[1]).save(file, compression="packbits")
    try:
        data.read_tiff(file)
    except ValueError as error:
        print(error)
"""

MADE = """
import pathlib, tempfile
import numpy as np
import data
with tempfile.TemporaryDirectory() as folder:
    data.toy(pathlib.Path(folder), 0)
    with np.load(pathlib.Path(folder, "chips.npz")) as held:
        bands, label, event = held["bands"], held["label"], held["event"]
water, land = bands[label == 1], bands[label == 0]
medians = np.array([np.nanmedian(bands[event == name], axis=(0, 1, 2)) for name in range(16)])
print(bands.shape, np.nanmean(land - np.nanmean(water, axis=0)) > 5, np.ptp(medians[:, 0]) > 2)
print(0.005 < np.isnan(bands).mean() < 0.1, 0.1 < (label == 1).mean() < 0.5, (label[np.isnan(bands).any(axis=3)] == -1).all())
"""


def test_events_stay_whole_and_the_secret_decides_which_are_hidden(in_project: InProject) -> None:
    assert in_project(SLUG, PARTS).split() == ["True", "True", "True"]


def test_a_hidden_chip_and_its_mask_turn_together_and_it_drifts(in_project: InProject) -> None:
    assert in_project(SLUG, TURNED).split() == ["8", "True", "float32", "int8"]


def test_unknown_pixels_count_for_nothing_and_the_worst_event_is_told(in_project: InProject) -> None:
    scored, worst, refused = in_project(SLUG, SCORE).splitlines()

    assert scored == "True {'water_iou': 1.0, 'mean_iou': 1.0, 'worst_event': 1.0}"
    assert worst == "0.0 0.0"
    assert refused == (
        "water has 4096 bytes a row; these chips have 4,096 pixels, so it must have 512: "
        "use np.packbits(mask.reshape(-1))."
    )


def test_what_is_downloaded_is_what_the_storage_service_lists(in_project: InProject) -> None:
    read, spoilt, missing = in_project(SLUG, FETCH).splitlines()

    assert read == "(3, 8, 8, 2) int8 [0, 0, 1] 2"
    assert spoilt == "Ghana_1_S1Hand.tif is not what the storage service lists; it was removed, fetch again False"
    assert missing.endswith("3 of S1Hand, 3 of LabelHand; there must be 446 of each")


def test_chips_are_read_however_a_tiff_lays_its_bands_and_packs_them(in_project: InProject) -> None:
    said = in_project(SLUG, PACKED)

    assert said == "chip.tif: TIFF compression 32773 with predictor 1 is not read here\n"


def test_made_floods_are_dark_and_each_event_has_a_level_of_its_own(in_project: InProject) -> None:
    assert in_project(SLUG, MADE).split() == ["(144,", "64,", "64,", "2)", "True", "True", "True", "True", "True"]
