"""A sparse autoencoder as a scikit-learn estimator: devices, memory and interruptions are its business, not the caller's.

The wish is that of Le and others, "Building high-level features using large scale unsupervised learning", 2012,
https://arxiv.org/abs/1112.6209: nine layers, ten million images, 1,000 machines, three days. Theirs was locally connected,
with pooling and contrast normalisation; this one is fully connected, mirrored, and trained by AdamW.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from deeplearning.images import ArraySource, Source, StreamSource, as_array, as_tensor, default_batch, flat, is_stream
from deeplearning.images import moments as moments_of
from deeplearning.network import Network, Plan, Step
from deeplearning.parameters import check_parameters, widths_of
from deeplearning.progress import Interrupt, Progress, threads_for

FORMAT = "deeplearning.SparseAutoencoder 1"
WARM_UP_STEPS = 100  # in which the rate rises; a tenth of a fit that is shorter than 1,000 steps
FLOP_TO_COMPILE = 5e16  # about a minute of a large GPU; compiling takes half of one
ROWS = {"cuda": 4096}  # that go through the network together after the fit; 256 elsewhere


class SparseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learn to redraw images through a narrow, sparse middle.

        model = SparseAutoencoder(layers=9).fit(images)
        code = model.transform(images)      # (n, widths[-1]) float32
        model.figure()                      # what the first layer looks for

    Args:
        layers: hidden layers, an odd number from 1 to 33; the middle one is the code and the others are mirrored about it.
        widths: units of the layers going in, the code last: ``(layers + 1) / 2`` numbers. None: for w, the power of two
            that the pixels fit in (from 16 to 4,096), half of the layers before the code have w units, the rest w / 2, and the
            code has 2 w. For 32 x 32 x 3 images: 4096, 4096, 2048, 2048, 8192.
        sparsity: ``"top-k"`` keeps the share ``active`` of each image's code, its largest entries, and sets the others to 0.
            ``"kl"`` makes the code a sigmoid and adds ``penalty`` times the mean Kullback-Leibler divergence between
            ``active`` and each unit's mean over the batch.
        active: the share, above 0, below 1 for ``"kl"``.
        penalty: weight of the divergence; not used by ``"top-k"``.
        epochs: how often each image is looked at; 0 leaves the network as it was drawn.
        batch: images a step. None: about a 64th of the images, from 32 to 16,384; 1,024 for a stream.
        rate: AdamW's step size at its highest; it rises over the first steps and falls with a cosine to 0. None: 0.03 over the
            root of the widest layer, which is near the rates found for projects/features-without-labels.
        seed: of weights and order. On a CPU with as many threads, the same seed and images give the same model bit for bit.
        device: ``"auto"`` is CUDA where there is a GPU, else the CPU; or a name PyTorch knows.
        precision: of matrix products: ``"float32"``, ``"bfloat16"``; ``"auto"`` is bfloat16 on GPUs that have it. Weights are
            float32 in either.
        compiled: whether ``torch.compile`` is used. None: on CUDA where the fit is long enough to pay for it. Without a C
            compiler the step runs as it is, and the line of progress says so.
        progress: whether a line on stderr says how it goes. None: in a terminal or a notebook.

    Attributes:
        image_shape_: of one image. widths_: see above. n_features_in_: pixels of an image.
        history_: for each epoch the mean ``unexplained`` share of variance (1: no better than the mean image; 0: a copy).
        interrupted_: whether the last fit was ended by Ctrl-C.
        epoch_, batch_: whole epochs, and batches of the one begun.
    """

    def __init__(
        self,
        layers: int = 9,
        *,
        widths: tuple[int, ...] | None = None,
        sparsity: str = "top-k",
        active: float = 0.1,
        penalty: float = 0.1,
        epochs: int = 10,
        batch: int | None = None,
        rate: float | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: str = "auto",
        compiled: bool | None = None,
        progress: bool | None = None,
    ) -> None:
        self.layers = layers
        self.widths = widths
        self.sparsity = sparsity
        self.active = active
        self.penalty = penalty
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.seed = seed
        self.device = device
        self.precision = precision
        self.compiled = compiled
        self.progress = progress

    def fit(self, X: Any, y: None = None, *, resume: bool = False) -> Self:  # noqa: N803, ARG002 - as scikit-learn calls them
        """Fit on images; Ctrl-C ends it between two steps and leaves a model that can be used, saved and gone on with.

        Args:
            X: images (n, ...) of one size, any number type; uint8 takes the least room. Or an iterable of batches (arrays or
                tensors (n, ...), or a loader's pairs of images and labels), or a function that returns one: then they are
                used in its order, and read anew for each epoch. Lists and tuples hold images.
            resume: go on after an interruption, with the same images, until ``epochs`` are over. On a CPU the
                outcome is that of a fit that was never interrupted, bit for bit.

        Raises:
            ValueError: a parameter or the images make no sense; the message says which and what to do.
            FloatingPointError: training diverged.
        """
        goes_on = resume and hasattr(self, "_network")
        source = self._source(X, reset=not goes_on)
        if not goes_on:
            self._begin(source)
        elif source.count != self._count:
            raise ValueError(
                f"resume=True goes on with the same images: there were {self._count or 'a stream'}, now "
                f"{source.count or 'a stream'}. partial_fit takes others."
            )
        if isinstance(source, StreamSource) and source.once and self.epochs - self.epoch_ > 1:
            raise ValueError(
                f"An iterator can be read once only, and {self.epochs - self.epoch_} epochs are to come: set epochs=1, or pass a "
                "function that returns a new iterator."
            )
        progress = self._watched()
        with Interrupt() as interrupt, threads_for(self._flop()):
            while self.epoch_ < self.epochs and not interrupt.asked:
                self._pass(
                    source, order=(self.seed, self.epoch_), progress=progress, interrupt=interrupt, scheduled=True
                )
            self.interrupted_ = interrupt.asked and self.epoch_ < self.epochs
            progress.end(self._last_words())
        return self

    def partial_fit(self, X: Any, y: None = None) -> Self:  # noqa: N803, ARG002
        """One more pass over these images, at a constant rate; the first call begins the model. ``X`` as for ``fit``.

        Mean and deviation of the pixels stay those of the first images.
        """
        begins = not hasattr(self, "_network")
        source = self._source(X, reset=begins)
        if begins:
            self._begin(source)
        place = self.epoch_, self.batch_, self._sum
        progress = self._watched()
        try:
            with Interrupt() as interrupt, threads_for(self._flop()):
                self.batch_, self._sum = 0, 0.0
                order = (self.seed, 2**32 + self._network.steps)
                self._pass(source, order=order, progress=progress, interrupt=interrupt, scheduled=False)
                self.interrupted_ = interrupt.asked
                last = f"one pass, unexplained {self.history_[-1]['unexplained']:.3f}" if self.history_ else "one pass"
                progress.end(f"stopped after {self.batch_} batches" if self.interrupted_ else last)
        finally:
            self.epoch_, self.batch_, self._sum = place
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Images (n, ...) to their codes (n, widths_[-1]) float32. The code of an image depends on no other image."""
        return self.activations(X, layer=len(self._plan.widths))

    def activations(self, X: Any, *, layer: int) -> np.ndarray:  # noqa: N803
        """Images (n, ...) to what hidden layer 1, 2, ... makes of them, (n, widths_[layer - 1]) float32.

        Raises:
            ValueError: there is no such layer on the way in, or the images aren't those it was fitted on.
        """
        check_is_fitted(self)
        if not 1 <= layer <= len(self.widths_):
            raise ValueError(f"layer={layer}: there are layers 1 to {len(self.widths_)} on the way to the code.")
        images = self._checked(X, reset=False)

        def through(raw: torch.Tensor) -> torch.Tensor:
            for place, x in enumerate(self._network.hidden(self._network.scaled(raw)), start=1):
                if place == layer:
                    return x
            raise AssertionError

        return self._by_rows(images, width=self.widths_[layer - 1], through=through)

    def inverse_transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Codes (n, widths_[-1]) to images (n, *image_shape_) float32, in the units of the images fitted on."""
        check_is_fitted(self)
        code = np.asarray(X, dtype=np.float32)
        if code.ndim != 2 or code.shape[1] != self.widths_[-1]:
            raise ValueError(f"Codes have shape (n, {self.widths_[-1]}); this has {code.shape}.")

        def through(code: torch.Tensor) -> torch.Tensor:
            return self._network.redrawn(code) * self._network.scale + self._network.centre

        return self._by_rows(code, width=self._plan.pixels, through=through).reshape(-1, *self.image_shape_)

    def reconstruct(self, X: Any) -> np.ndarray:  # noqa: N803
        """Images (n, ...) as they come out of their codes, (n, *image_shape_) float32."""
        return self.inverse_transform(self.activations(X, layer=len(self._plan.widths)))

    def filters(self, count: int = 64) -> np.ndarray:
        """What the first layer looks for: the ``count`` units of largest weight, (count, *image_shape_) float32."""
        check_is_fitted(self)
        weight = self._network.weights[0].detach().cpu().numpy()  # (units, pixels)
        order = np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:count]
        return weight[order].reshape(-1, *self.image_shape_)

    def figure(self, count: int = 64) -> Any:
        """``filters`` as a Matplotlib figure: grey is 0, each filter scaled by its own largest weight."""
        from matplotlib import pyplot

        drawn = self.filters(count)
        side = math.isqrt(self.n_features_in_)
        if drawn.ndim == 2:  # images came as rows of numbers
            drawn = drawn.reshape(-1, side, side) if side * side == self.n_features_in_ else drawn[:, None, :]
        if drawn.ndim == 4 and drawn.shape[-1] not in (1, 3):
            drawn = np.moveaxis(drawn, 1, -1) if drawn.shape[1] in (1, 3) else drawn.mean(axis=-1, keepdims=True)
        columns = math.ceil(math.sqrt(len(drawn)))
        lines = math.ceil(len(drawn) / columns)
        figure, axes = pyplot.subplots(lines, columns, figsize=(0.6 * columns, 0.6 * lines + 0.3), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, image in zip(axes.flat, drawn, strict=False):
            axis.imshow((0.5 + 0.5 * image / max(np.abs(image).max(), 1e-12)).squeeze(), cmap="gray", vmin=0, vmax=1)
        figure.suptitle("what the first layer looks for", fontsize=9)
        pyplot.close(figure)  # a notebook shows what a cell returns; left open, it would show it twice
        return figure

    def save(self, path: str | os.PathLike[str], *, training: bool = True) -> None:
        """Write parameters and weights to one .npz file without pickles.

        ``training=False`` leaves out what only going on needs, two thirds of the file; ``partial_fit`` then begins its
        moments anew.
        """
        check_is_fitted(self)
        kept = self._as_arrays(training=training)
        place = Path(path)
        partial = place.with_name(f".{place.name}.partial")
        with partial.open("wb") as stream:
            np.savez(stream, **kept)
        partial.replace(place)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """What ``save`` wrote, on the device there is here.

        Raises:
            ValueError: the file is none of ours, or is damaged.
        """
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files}
            facts = json.loads(arrays.pop("facts").tobytes())
            if facts.pop("format") != FORMAT:
                raise KeyError("format")
            model = cls(**facts["parameters"]).set_params(device=device)
            model._from_arrays(facts, arrays)
        except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{Path(path).name} is no model that SparseAutoencoder.save wrote, or it is damaged."
            ) from error
        return model

    # How a fit goes.

    def _begin(self, source: Source) -> None:
        """A new network for these images, with what the fit has to remember."""
        plan = Plan(
            self.n_features_in_, widths_of(self, pixels=self.n_features_in_), self.sparsity, self.active, self.penalty
        )
        centre, scale = moments_of(source.sample())
        self._network = Network(plan, device=self._device(), seed=self.seed, centre=centre, scale=scale)
        self._step: Step | None = None
        self._count, self._batches = source.count, None
        self._size = min(self.batch or default_batch(source.count), source.count or 2**62)
        if source.count is not None:
            self._batches = source.count // self._size
        self.widths_, self.history_ = plan.widths, []
        self.epoch_, self.batch_, self._sum, self.interrupted_ = 0, 0, 0.0, False

    def _flop(self) -> float:
        """Of one step."""
        return 6.0 * self._size * sum(weight.numel() for weight in self._network.weights)

    def _watched(self) -> Progress:
        """The step, made if it was not, and what says how it goes."""
        if self._step is None:
            work = self._flop() * self.epochs * (self._batches or 0)
            compiled = self._network.device.type == "cuda" and work >= FLOP_TO_COMPILE
            compiled = compiled if self.compiled is None else self.compiled
            self._step = Step(self._network, bfloat16=self._bfloat16(), compiled=compiled)
        return Progress(shown=self.progress, epochs=self.epochs)

    def _pass(
        self, source: Source, *, order: tuple[int, int], progress: Progress, interrupt: Interrupt, scheduled: bool
    ) -> None:
        """Batches of one epoch from where it stands; at its end the next one begins."""
        assert self._step is not None
        size = self._size if source.count is None else min(self._size, source.count)
        total = torch.tensor(self._sum, dtype=torch.float64, device=self._network.device)
        batches = source.batches(size, seed=order, skip=self.batch_)
        try:
            for raw in batches:
                unexplained = self._step(raw, rate=self._rate(scheduled))
                total += unexplained
                self.batch_ += 1
                progress.images += len(raw)
                progress.batches += 1
                if progress.due():
                    self._draw(progress, float(unexplained))
                if interrupt.asked:
                    self._finite(float(total))
                    return
        finally:
            self._sum = float(total)  # also where an error ends it: resume=True goes on from here
            batches.close()  # type: ignore[attr-defined]
        if not self.batch_:
            raise ValueError(f"The stream ended before one batch of {size} images: set a smaller batch.")
        self.history_.append({"unexplained": self._finite(float(total)) / self.batch_})
        if scheduled:
            self._batches = self.batch_
        self.epoch_, self.batch_, self._sum = self.epoch_ + 1, 0, 0.0

    def _finite(self, total: float) -> float:
        if not math.isfinite(total):
            raise FloatingPointError(
                f"The loss is not finite after {self._network.steps} steps: "
                f"fit again with a rate below {self._highest_rate():.2g}."
            )
        return total

    def _highest_rate(self) -> float:
        return 0.03 / math.sqrt(max(self.widths_)) if self.rate is None else self.rate

    def _rate(self, scheduled: bool) -> float:
        """Of the step to come: a linear rise, then (in ``fit``) half a cosine."""
        steps = self.epochs * self._batches if scheduled and self._batches else None
        warm = max(1, min(WARM_UP_STEPS, steps // 10)) if steps else WARM_UP_STEPS
        rise = min(1.0, (self._network.steps + 1) / warm)
        highest = self._highest_rate()
        if not scheduled:
            return highest * rise
        done = (self.epoch_ + (self.batch_ / self._batches if self._batches else 0.0)) / self.epochs
        return highest * rise * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))

    def _draw(self, progress: Progress, unexplained: float) -> None:
        assert self._step is not None
        progress.where = f"{self._network.device.type}, {self._step.note}"
        total = self._batches * self.epochs if self._batches else None
        done = self.epoch_ * (self._batches or 0) + self.batch_
        progress.draw(epoch=self.epoch_, done=done, total=total, unexplained=unexplained)

    def _last_words(self) -> str:
        last = f", unexplained {self.history_[-1]['unexplained']:.3f}" if self.history_ else ""
        if self.interrupted_:
            return f"stopped in epoch {self.epoch_ + 1} of {self.epochs}{last}; fit(images, resume=True) goes on"
        return f"{self.epoch_} epochs{last}"

    # What parameters and images may be.

    def _device(self) -> torch.device:
        name = ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(f'device={name!r} can\'t be used here: "auto" takes what there is.') from error

    def _bfloat16(self) -> bool:
        if self.precision == "auto":
            return self._network.device.type == "cuda" and torch.cuda.get_device_capability(self._network.device) >= (
                8,
                0,
            )
        return self.precision == "bfloat16"

    def _source(self, given: Any, *, reset: bool) -> Source:
        check_parameters(self)
        device = self._device() if reset else self._network.device
        if not is_stream(given):
            images = self._checked(given, reset=reset, at_least=2)
            return ArraySource(images, device=device, mapped=isinstance(given, np.memmap))
        source = StreamSource(given, device=device)
        assert source.shape is not None
        if reset:
            self.image_shape_, self.n_features_in_ = source.shape, math.prod(source.shape)
            vars(self).pop("feature_names_in_", None)
        elif math.prod(source.shape) != self.n_features_in_:
            self._refuse_size(source.shape)
        return source

    def _checked(self, given: Any, *, reset: bool, at_least: int = 1) -> np.ndarray:
        """Images (n, pixels) as scikit-learn checks them; float32 where they are no numbers PyTorch holds."""
        given = as_array(given)
        shape = np.shape(given)[1:] if isinstance(given, np.ndarray) else ()
        if not reset and len(shape) > 1 and math.prod(shape) != self.n_features_in_:
            self._refuse_size(shape)
        rows = flat(given) if isinstance(given, np.ndarray) else given
        images = validate_data(self, rows, reset=reset, dtype="numeric", ensure_min_samples=at_least)
        if reset:
            self.image_shape_ = tuple(shape) if len(shape) > 1 else images.shape[1:]
        return images

    def _refuse_size(self, shape: tuple[int, ...]) -> None:
        raise ValueError(f"The images are {shape} each; this model was fitted on {self.image_shape_}.")

    # How it is kept.

    @property
    def _plan(self) -> Plan:
        check_is_fitted(self)
        return self._network.plan

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.widths_[-1]

    @torch.inference_mode()
    def _by_rows(self, rows: np.ndarray, *, width: int, through: Any) -> np.ndarray:
        """``through`` on blocks of equally many rows, so that no row's result depends on how many came with it."""
        network = self._network
        count = ROWS.get(network.device.type, 256)
        out = np.empty((len(rows), width), dtype=np.float32)
        for start in range(0, len(rows), count):
            block = as_tensor(np.ascontiguousarray(rows[start : start + count])).to(network.device)
            full = torch.zeros((count, block.shape[1]), dtype=block.dtype, device=network.device)
            full[: len(block)] = block
            out[start : start + count] = through(full)[: len(block)].float().cpu().numpy()
        return out

    def _as_arrays(self, *, training: bool) -> dict[str, np.ndarray]:
        network = self._network
        arrays = network.as_arrays(moments=training)
        names = getattr(self, "feature_names_in_", None)
        facts = {
            "format": FORMAT,
            "parameters": {name: _plain(value) for name, value in self.get_params().items()},
            "plan": vars(network.plan),
            "image_shape": list(self.image_shape_),
            "names": None if names is None else list(names),
            "fit": [self.epoch_, self.batch_, self._sum, network.steps, self._size, self._batches, self._count],
            "history": self.history_,
            "interrupted": self.interrupted_,
        }
        arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
        return arrays

    def _from_arrays(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        plan = Plan(**(facts["plan"] | {"widths": tuple(facts["plan"]["widths"])}))
        network = Network(plan, device=self._device(), seed=0, centre=arrays["centre"], scale=float(arrays["scale"]))
        network.take(arrays)
        self._network, self._step = network, None
        self.epoch_, self.batch_, self._sum, steps, self._size, self._batches, self._count = facts["fit"]
        network.steps = steps if "mean_0" in arrays else 0
        self.widths_, self.history_, self.interrupted_ = plan.widths, facts["history"], facts["interrupted"]
        self.image_shape_, self.n_features_in_ = tuple(facts["image_shape"]), plan.pixels
        if facts["names"] is not None:
            self.feature_names_in_ = np.array(facts["names"], dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        """Arrays in place of what lives on a device: a copy or a pickle can be read on another machine."""
        state = super().__getstate__()
        if "_network" in state:
            state = {key: value for key, value in state.items() if key not in ("_network", "_step")}
            state["_arrays"] = self._as_arrays(training=True)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = state.pop("_arrays", None)
        super().__setstate__(state)
        if arrays is not None:
            self._from_arrays(json.loads(arrays.pop("facts").tobytes()), arrays)


def _plain(value: Any) -> Any:
    """A parameter as JSON knows it."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
