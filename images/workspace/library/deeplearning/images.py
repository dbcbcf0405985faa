"""What images come as, and how batches of them reach the device.

An array that fits stays on the device in its own type (uint8 is a quarter of float32). One that doesn't, and any memory map
on a CPU, is read in *windows* of contiguous blocks, the next one while this one is used. Both are shuffled the same way, so
where the images lie changes no result. An iterable of batches keeps its order.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import queue
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch

WINDOW_BYTES = 512 * 2**20  # what is read at once
BLOCKS_A_WINDOW = 16  # contiguous blocks, from anywhere in the images
SAMPLE = 4096  # images from which mean and deviation are taken
STREAM_BATCH = 1024
SHARE_OF_DEVICE = 0.6  # of its free memory, for images
NATIVE = {
    np.dtype(name) for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
}


class Source(Protocol):
    """Images, read again for each epoch. ``count`` is None where only the end tells."""

    count: int | None

    def sample(self) -> np.ndarray:
        """At most ``SAMPLE`` images, (n, pixels), from all over an array or the beginning of a stream."""

    def batches(self, size: int, *, seed: tuple[int, int], skip: int) -> Iterator[torch.Tensor]:
        """Full batches (size, pixels) of one epoch on the device, without the first ``skip``."""


def is_stream(given: Any) -> bool:
    """An iterable of batches or a function that returns one; lists and tuples hold images."""
    if isinstance(given, (list, tuple, dict, str, bytes)):
        return False
    if any(hasattr(given, name) for name in ("shape", "__array__", "__array_interface__", "__dataframe__")):
        return False
    return callable(given) or hasattr(given, "__iter__")


def as_array(given: Any) -> Any:
    """Tensors and lists of images as one array; anything else as it is.

    Raises:
        ValueError: the images have different sizes.
    """
    if isinstance(given, torch.Tensor):
        return given.detach().cpu().numpy()
    if isinstance(given, (list, tuple)) and given and all(np.ndim(image) >= 2 for image in given):
        shapes = [np.shape(image) for image in given]
        other = next((place for place, shape in enumerate(shapes) if shape != shapes[0]), None)
        if other is not None:
            raise ValueError(
                f"Images must have one size: image 0 is {_size(shapes[0])}, image {other} is {_size(shapes[other])}. "
                "Crop or resize them first."
            )
        return np.stack([np.asarray(image) for image in given])
    return given


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def flat(images: np.ndarray) -> np.ndarray:
    """(n, ...) to (n, pixels), without a copy where the memory allows."""
    return images.reshape(len(images), math.prod(images.shape[1:])) if images.ndim > 2 else images


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """The same memory as a tensor; what PyTorch can't hold (uint16, another byte order) becomes float32."""
    if images.dtype not in NATIVE or not images.dtype.isnative:
        images = images.astype(np.float32)
    if any(stride < 0 for stride in images.strides):
        images = np.ascontiguousarray(images)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nothing here writes to it
        return torch.from_numpy(images)


def moments(sample: np.ndarray) -> tuple[np.ndarray, float]:
    """Mean of each pixel, (pixels,) float32, and the root of the mean variance; 1 where nothing varies."""
    shift = sample[0].astype(np.float64)
    total, square = np.zeros_like(shift), 0.0
    for start in range(0, len(sample), 256):
        block = sample[start : start + 256] - shift
        total += block.sum(axis=0)
        square += float(np.square(block).sum())
    mean = total / len(sample)
    variance = square / sample.size - float(np.square(mean).mean())
    tiny = 1e-12 * max(1.0, float(np.abs(shift).max()) ** 2)
    return (shift + mean).astype(np.float32), float(np.sqrt(variance)) if variance > tiny else 1.0


class ArraySource:
    """Images (n, pixels) in memory or in a mapped file."""

    def __init__(self, images: np.ndarray, *, device: torch.device, mapped: bool) -> None:
        self.images, self.device, self.count = images, device, len(images)
        resident = not mapped if device.type == "cpu" else images.nbytes <= _room(device)
        self.placed = self._place_all() if resident else None

    def _place_all(self) -> torch.Tensor:
        if self.device.type == "cpu":
            return as_tensor(self.images)
        rows = max(1, WINDOW_BYTES // max(1, self.images[:1].nbytes))
        first = as_tensor(self.images[:1])
        placed = torch.empty(self.images.shape, dtype=first.dtype, device=self.device)
        for start in range(0, self.count, rows):
            placed[start : start + rows] = as_tensor(np.ascontiguousarray(self.images[start : start + rows]))
        return placed

    def sample(self) -> np.ndarray:
        return np.ascontiguousarray(self.images[:: -(-self.count // SAMPLE)])

    def batches(self, size: int, *, seed: tuple[int, int], skip: int) -> Iterator[torch.Tensor]:
        rows = max(1, WINDOW_BYTES // max(1, self.images[:1].nbytes) // size) * size
        groups = itertools.islice(windows(self.count, rows=rows, seed=seed), skip * size // rows, None)
        skip -= skip * size // rows * (rows // size)
        for held, order in self._resident(groups) if self.placed is not None else ahead(self._read(groups)):
            for start in range(skip * size, len(order) - size + 1, size):
                yield held.index_select(0, order[start : start + size])
            skip = 0

    def _resident(
        self, groups: Iterable[tuple[list[range], np.ndarray]]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for ranges, order in groups:
            rows = np.concatenate([np.arange(part.start, part.stop) for part in ranges])
            yield self.placed, torch.from_numpy(rows[order]).to(self.device)

    def _read(self, groups: Iterable[tuple[list[range], np.ndarray]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        move = Mover(self.device)
        for ranges, order in groups:
            held = np.concatenate([self.images[part.start : part.stop] for part in ranges])
            yield move(as_tensor(held)), torch.from_numpy(order).to(self.device)


class StreamSource:
    """An iterable of batches (any number of images each), or a function that returns one. Its order is kept."""

    def __init__(self, given: Any, *, device: torch.device) -> None:
        self.given, self.device, self.count = given, device, None
        self.once = not callable(given) and iter(given) is given
        self.shape: tuple[int, ...] | None = None
        self.begun: Iterator[np.ndarray] | None = self._again()
        head, seen = [], 0
        for images in self.begun:
            head.append(images)
            seen += len(images)
            if seen >= SAMPLE:
                break
        if seen < 2:
            raise ValueError(f"The stream holds {seen} sample(s): at least 2 images are needed.")
        self.head = np.concatenate(head)
        self.begun = itertools.chain([self.head], self.begun)

    def sample(self) -> np.ndarray:
        return self.head[:SAMPLE]

    def _again(self) -> Iterator[np.ndarray]:
        for place, batch in enumerate(self.given() if callable(self.given) else self.given):
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch  # a loader's (images, labels)
            batch = np.asarray(as_array(batch))
            if batch.ndim < 2 or batch.dtype.kind not in "buif":
                raise ValueError(f"Batch {place} must be numbers of shape (n, ...); it is {batch.dtype} {batch.shape}.")
            self.shape = self.shape or batch.shape[1:]
            if batch.shape[1:] != self.shape:
                raise ValueError(
                    f"Images must have one size: the first are {_size(self.shape)}, those of batch {place} are "
                    f"{_size(batch.shape[1:])}. Crop or resize them first."
                )
            if batch.dtype.kind == "f" and not np.isfinite(batch).all():
                raise ValueError(f"Batch {place} contains NaN or infinity: leave those images out, or mend them.")
            yield flat(batch)

    def batches(self, size: int, *, seed: tuple[int, int], skip: int) -> Iterator[torch.Tensor]:  # noqa: ARG002
        images, self.begun = self.begun or (None if self.once else self._again()), None
        if images is None:
            raise ValueError(
                "This iterator can be read once only: set epochs=1, or pass a function that returns a new one."
            )
        move = Mover(self.device)
        yield from ahead(move(as_tensor(batch)) for batch in itertools.islice(regrouped(images, size), skip, None))


def regrouped(parts: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The rows of ``parts`` in arrays of exactly ``size`` rows; what is left over at the end is not used."""
    held: deque[np.ndarray] = deque()
    rows = 0
    for part in parts:
        held.append(part)
        rows += len(part)
        while rows >= size:
            taken, room = [], size
            while room:
                part = held.popleft()
                taken.append(part[:room])
                if len(part) > room:
                    held.appendleft(part[room:])
                room -= len(taken[-1])
            rows -= size
            yield np.concatenate(taken) if len(taken) > 1 else taken[0]


def windows(count: int, *, rows: int, seed: tuple[int, int]) -> Iterator[tuple[list[range], np.ndarray]]:
    """One epoch: groups of ``rows`` rows as contiguous ranges from all over, and the order to take each group's rows in."""
    random = np.random.default_rng(seed)
    block = -(-rows // BLOCKS_A_WINDOW)
    starts = random.permutation(-(-count // block)) * block
    ranges = deque(range(start, min(start + block, count)) for start in starts.tolist())
    while ranges:
        taken, room = [], rows
        while ranges and room:
            part = ranges.popleft()
            taken.append(part[:room])
            if len(part) > room:
                ranges.appendleft(part[room:])
            room -= len(taken[-1])
        yield taken, random.permutation(rows - room)


class Mover:
    """Copies tensors to the device; to a GPU from pinned memory, on a stream of its own beside the computation."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, held: torch.Tensor) -> torch.Tensor:
        if self.stream is None:
            return held.to(self.device)
        with torch.cuda.stream(self.stream):
            moved = held.pin_memory().to(self.device, non_blocking=True)
        self.stream.synchronize()
        moved.record_stream(torch.cuda.default_stream(self.device))
        return moved


def ahead(items: Iterable[Any]) -> Iterator[Any]:
    """``items``, the next one made in a thread of its own while this one is used."""
    made: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=1)
    stopped = threading.Event()

    def put(*said: Any) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                made.put(said, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put("item", item)
                if stopped.is_set():
                    return
            put("end", None)
        except BaseException as error:  # the reader's, whatever it is: raised where the batches are used
            put("error", error)

    threading.Thread(target=make, daemon=True).start()
    try:
        while True:
            kind, value = made.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopped.set()


def _room(device: torch.device) -> float:
    """Bytes of images that the device takes whole."""
    return SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else float("inf")


def default_batch(count: int | None) -> int:
    """A power of two that makes at least 64 steps of an epoch, from 32 to 16,384 images."""
    if count is None:
        return STREAM_BATCH
    return min(count, max(32, min(16384, 2 ** ((count // 64 or 1).bit_length() - 1))))
