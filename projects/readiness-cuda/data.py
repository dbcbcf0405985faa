"""Eight variants of three tasks around a GPU, none of which needs one; all grown from a secret of the site.

``public/variant-1`` to ``public/variant-8`` hold what an attempt works on: ``case-1.txt`` to ``case-6.txt`` (what a terminal
said on machines where a program ran on the processor), ``model.py`` (a model that breaks on any device but the
processor) and ``cards.json`` (cards, what was measured on them, and the right plan). ``private/inputs`` holds weights and
tokens for the mended model, and other cards; ``private/answers`` what must come out.

Words: a *cause* is a number of the table in README.md. A *fault* is a line of model.py made wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

VARIANTS = 8
CAUSES, DEVICES, MEMORY = 1, 2, 3
CASES, SEQUENCES, CARDS, EXAMPLES = 6, 40, 12, 4
TOKENS, LENGTH, WIDTH = 20, 8, 6
SPARE_GB = 0.5
GIVEN = Path(__file__).with_name("given")

NO_CUDA, HIDDEN, OLD_DRIVER, NO_DRIVER, CONTAINER, OLD_GPU, NOT_MOVED = range(1, 8)
GPUS = {"NVIDIA A100 80GB PCIe": (8, 0, 81920), "NVIDIA L4": (8, 9, 23034), "Tesla T4": (7, 5, 15360),
        "NVIDIA GeForce RTX 3060": (8, 6, 12288), "NVIDIA H100 NVL": (9, 0, 95830)}  # fmt: skip
OLD_GPUS = {"Tesla M60": (5, 2, 8129), "NVIDIA GeForce GTX 960": (5, 2, 4096), "Tesla K80": (3, 7, 11441)}
DRIVERS = {"550.144.03": "12.4", "560.35.05": "12.6", "570.133.20": "12.8", "580.82.07": "13.0"}
OLD_DRIVERS = {"450.248.02": "11.0", "470.256.02": "11.4"}
TORCH = {"2.6.0": "12.4", "2.7.1": "12.6", "2.8.0": "12.8"}
ARCHITECTURES = "['sm_70', 'sm_75', 'sm_80', 'sm_86', 'sm_89', 'sm_90']"

MODEL = '''"""A small model. It works on the processor, and breaks on any other device: {count} lines are to blame."""

import torch
from torch import nn

TOKENS, LENGTH, WIDTH = {tokens}, {length}, {width}


class Reader(nn.Module):
    """One number for each sequence of tokens (batch, LENGTH); token 0 is padding."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(TOKENS, WIDTH)
        {layers}
        self.out = nn.Linear(WIDTH, 1)
        {places}
        {scale}

    def forward(self, tokens):
        {steps}
        hidden = self.embed(tokens) + self.places  # (batch, LENGTH, WIDTH)
        hidden = hidden * (0.9**steps)[:, None]
        for layer in self.layers:
            hidden = torch.tanh(layer(hidden))
        {kept}
        hidden = hidden * kept[..., None]
        {start}
        return self.out(start + hidden.mean(dim=1) * self.scale).squeeze(1)
'''
RIGHT = {
    "layers": "self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)])",
    "places": 'self.register_buffer("places", torch.linspace(-1, 1, LENGTH * WIDTH).reshape(LENGTH, WIDTH))',
    "scale": 'self.register_buffer("scale", torch.linspace(0.5, 1.5, WIDTH))',
    "steps": "steps = torch.arange(LENGTH, device=tokens.device)",
    "kept": "kept = (tokens != 0).float()",
    "start": "start = torch.full((len(tokens), WIDTH), 0.1, device=tokens.device)",
}
FAULTS = {
    "layers": "self.layers = [nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)]",
    "places": "self.places = torch.linspace(-1, 1, LENGTH * WIDTH).reshape(LENGTH, WIDTH)",
    "scale": "self.scale = torch.linspace(0.5, 1.5, WIDTH)",
    "steps": "steps = torch.arange(LENGTH)",
    "kept": "kept = (tokens != 0).float().cuda()",
    "start": "start = torch.full((len(tokens), WIDTH), 0.1)",
}


def fetch(raw: Path) -> None:
    """Nothing is downloaded: the tasks are made when they are split. Writes raw/variants.json."""
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "variants.json").write_text(json.dumps({"variants": VARIANTS}), encoding="utf-8")


def toy(raw: Path, seed: int) -> None:
    """The same as ``fetch``: all of it is small, so ``seed`` changes nothing."""
    del seed
    fetch(raw)


def split(raw: Path, public: Path, private: Path, secret: bytes) -> None:
    """Write what an attempt works on, what its code is run on, and the answers, apart from each other."""
    variants = json.loads((raw / "variants.json").read_text(encoding="utf-8"))["variants"]
    inputs, answers = private / "inputs", private / "answers"
    for folder in (public, inputs, answers):
        folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(GIVEN.glob("*.py")):
        shutil.copyfile(file, public / file.name)
    rows: list[tuple[int, float, int, int, int]] = []  # id, wanted value, variant, task, place within it
    for variant in range(1, variants + 1):
        folder = public / f"variant-{variant}"
        folder.mkdir(exist_ok=True)
        hidden: dict[str, Any] = {"ids": {}}
        wanted = {
            CAUSES: write_cases(folder, random=generator(secret, f"{variant}/cases")),
            DEVICES: write_model(folder, hidden, random=generator(secret, f"{variant}/model")),
            MEMORY: write_cards(folder, hidden, random=generator(secret, f"{variant}/cards")),
        }
        for task, found in wanted.items():
            ids = [number(secret, f"id/{variant}/{task}/{place}") for place in range(len(found))]
            hidden["ids"][task] = ids
            named = enumerate(zip(ids, found, strict=True))
            rows += [(name, float(value), variant, task, place) for place, (name, value) in named]
        (inputs / f"hidden-{variant}.json").write_text(json.dumps(hidden), encoding="utf-8")
    rows.sort()  # by id: the order of rows says nothing
    names = ("id", "value", "variant", "task", "place")
    held = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    every = held["id"]
    np.savez_compressed(inputs / "inputs.npz", id=every)
    np.savez_compressed(answers / "answers.npz", **held)
    part = np.ones(len(every), dtype=np.int64)
    np.savez_compressed(answers / "ledger.npz", id=every, item=every, group=every, part=part)


def write_cases(folder: Path, *, random: np.random.Generator) -> list[int]:
    """What a terminal said on six machines; the cause of each."""
    causes = np.concatenate([random.permutation(7)[:4], random.integers(0, 7, size=CASES - 4)]) + 1
    causes = random.permutation(causes).tolist()
    for place, cause in enumerate(causes, start=1):
        (folder / f"case-{place}.txt").write_text(terminal(cause, random=random), encoding="utf-8")
    return causes


def terminal(cause: int, *, random: np.random.Generator) -> str:
    """What the same eight commands say on a machine with this cause."""

    def one(among: dict[str, Any]) -> tuple[str, Any]:
        name = sorted(among)[random.integers(len(among))]
        return name, among[name]

    gpu, (major, minor, memory) = one(OLD_GPUS if cause == OLD_GPU else GPUS)
    driver, supported = one(OLD_DRIVERS if cause == OLD_DRIVER else DRIVERS)
    release, built = one(TORCH)
    visible = ("-1", "1", "2")[random.integers(3)] if cause == HIDDEN else ("", "0")[random.integers(2)]
    shown = (
        f"| NVIDIA-SMI {driver}    Driver Version: {driver}    CUDA Version: {supported} |\n"
        f"|  0  {gpu:26}  {random.integers(28, 45)}C   0MiB / {memory}MiB   0%  Default |\n"
        "|  No running processes found |"
    )
    devices = "/dev/nvidia0  /dev/nvidiactl  /dev/nvidia-uvm"
    if cause == CONTAINER:
        shown, devices = (
            "bash: nvidia-smi: command not found",
            "ls: cannot access '/dev/nvidia*': No such file or directory",
        )
    if cause == NO_DRIVER:
        shown = (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
            "NVIDIA driver is installed and running."
        )
        devices = "ls: cannot access '/dev/nvidia*': No such file or directory"
    works = cause in (OLD_GPU, NOT_MOVED)
    version = f"{release}+cpu" if cause == NO_CUDA else f"{release}+cu{built.replace('.', '')}"
    contained = cause == CONTAINER or (cause != NO_DRIVER and random.random() < 0.5)
    host = "inside a container" if contained else "on the machine itself"
    last = (
        "RuntimeError caught: CUDA error: no kernel image is available for execution on the device; going on with cpu\n"
    )
    asked = {
        "torch.__version__": version,
        "torch.version.cuda": None if cause == NO_CUDA else built,
        "torch.cuda.is_available()": works,
        "torch.cuda.device_count()": int(works),
        "torch.cuda.get_arch_list()": ARCHITECTURES if works else "[]",
        "torch.cuda.get_device_capability()": f"({major}, {minor})" if works else "raises RuntimeError",
    }
    said = "\n".join(f"{name:36} {value}" for name, value in asked.items())
    return (
        f"({host})\n\n$ nvidia-smi\n{shown}\n\n$ ls /dev/nvidia*\n{devices}\n\n"
        f"$ echo \"CUDA_VISIBLE_DEVICES='$CUDA_VISIBLE_DEVICES'\"\nCUDA_VISIBLE_DEVICES='{visible}'\n\n"
        f"$ python ask_torch.py\n{said}\n\n$ python train.py\n{last if cause == OLD_GPU else ''}"
        f"model on cpu, epoch 1: {random.uniform(300, 900):.0f} s\n"
    )


def write_model(folder: Path, hidden: dict[str, Any], *, random: np.random.Generator) -> list[float]:
    """model.py with three faults; what the right model says to hidden tokens, with hidden weights."""
    wrong = random.choice(sorted(FAULTS), size=3, replace=False).tolist()
    lines = RIGHT | {place: FAULTS[place] for place in wrong}
    sizes = {"count": "three", "tokens": TOKENS, "length": LENGTH, "width": WIDTH}
    (folder / "model.py").write_text(MODEL.format(**lines, **sizes), encoding="utf-8")
    shapes = {"embed.weight": (TOKENS, WIDTH), "out.weight": (1, WIDTH), "out.bias": (1,)}
    for layer in (0, 1):
        shapes |= {f"layers.{layer}.weight": (WIDTH, WIDTH), f"layers.{layer}.bias": (WIDTH,)}
    weights = {name: np.round(random.normal(size=shape) * 0.7, 4) for name, shape in shapes.items()}
    tokens = random.integers(0, TOKENS, size=(SEQUENCES, LENGTH))
    hidden["weights"] = {name: values.tolist() for name, values in weights.items()}
    hidden["tokens"] = tokens.tolist()
    state = weights["embed.weight"][tokens] + np.linspace(-1, 1, LENGTH * WIDTH).reshape(LENGTH, WIDTH)
    state = state * (0.9 ** np.arange(LENGTH))[:, None]
    for layer in (0, 1):
        state = np.tanh(state @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"])
    state = state * (tokens != 0)[..., None]
    read = 0.1 + state.mean(axis=1) * np.linspace(0.5, 1.5, WIDTH)
    return (read @ weights["out.weight"][0] + weights["out.bias"][0]).tolist()


def write_cards(folder: Path, hidden: dict[str, Any], *, random: np.random.Generator) -> list[float]:
    """cards.json with a few cards and the right plan for each; the plans for hidden cards, as numbers in a row."""
    made = [card(kind=place % 4, random=random) for place in range(EXAMPLES + CARDS)]
    examples = [asked | {"plan": best} for asked, best in made[:EXAMPLES]]
    (folder / "cards.json").write_text(json.dumps(examples, indent=1), encoding="utf-8")
    hidden["cards"] = [asked for asked, _ in made[EXAMPLES:]]
    return [float(part) for _, best in made[EXAMPLES:] for part in best]


def card(*, kind: int, random: np.random.Generator) -> tuple[dict[str, Any], list[Any]]:
    """A card with measurements, and the plan for it. All of a batch fits (kind 0), a part (1, 2), or only with
    checkpointing (3). No plan is decided by less than 2 % of the card."""
    while True:
        batch = int(random.choice([16, 24, 32, 48, 64, 96]))
        size, taken = float(random.choice([8, 12, 16, 24, 40, 48, 80])), float(round(random.uniform(0, 2), 1))
        fixed, each = random.uniform(1, 4), random.uniform(0.05, size)
        slopes = {False: each, True: each * random.uniform(0.15, 0.35)}
        free = size - taken - SPARE_GB
        fits = {way: [n for n in range(1, batch + 1) if batch % n == 0 and fixed + slope * n <= free]
                for way, slope in slopes.items()}  # fmt: skip
        checkpointing = not fits[False]
        if not fits[checkpointing]:
            continue
        samples = max(fits[checkpointing])
        found = 3 if checkpointing else 0 if samples == batch else kind if kind in (1, 2) else 1
        sure = all(
            abs(fixed + slope * n - free) > 0.02 * size for slope in slopes.values() for n in range(1, batch + 1)
            if batch % n == 0
        )  # fmt: skip
        if found != kind or not sure:
            continue
        measured = [
            {"samples": n, "checkpointing": way, "peak_gb": round(fixed + slope * n, 3)}
            for way, slope in slopes.items()
            for n in (1, 2, 4)
        ]
        asked = {"card_gb": size, "taken_gb": taken, "measured": measured, "batch": batch}
        return asked, [samples, batch // samples, checkpointing]


def generator(secret: bytes, name: str) -> np.random.Generator:
    """Random numbers that only the secret and the name decide."""
    return np.random.default_rng(number(secret, name))


def number(secret: bytes, name: str) -> int:
    """63 bits of HMAC-SHA256(secret, name)."""
    digest = hmac.new(secret, f"readiness-cuda/{name}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") >> 1
