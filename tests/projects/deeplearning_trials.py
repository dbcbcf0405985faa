"""What ``import deeplearning`` promises, tried inside the interns' Python: ``python deeplearning_trials.py <library>``.

Prints one JSON object: each trial's name with an empty text, or with how it failed. ``test_deeplearning.py`` reads it.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

WORK = Path(tempfile.mkdtemp(prefix="deeplearning-"))
SMALL = {"layers": 5, "widths": (32, 16, 48), "batch": 32, "progress": False}


def model(**changed: Any) -> Any:
    return deeplearning.SparseAutoencoder(**(SMALL | changed))


def digits() -> np.ndarray:
    """600 real 8 x 8 digits, uint8."""
    from sklearn.datasets import load_digits

    return load_digits().images[:600].astype(np.uint8)


def weights(fitted: Any) -> bytes:
    return b"".join(one.detach().numpy().tobytes() for one in fitted._network.parameters())


@contextlib.contextmanager
def interrupted_at(step: int, *, times: int = 1) -> Iterator[None]:
    """A real SIGINT arrives while this step is under way."""
    before, count = Step.__call__, 0

    def call(self: Any, raw: Any, *, rate: float) -> Any:
        nonlocal count
        count += 1
        if count == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return before(self, raw, rate=rate)

    with mock.patch.object(Step, "__call__", call):
        yield


def refused(call: Any, *said: str, kind: type[Exception] = ValueError) -> None:
    try:
        call()
    except kind as error:
        text = str(error)
    else:
        raise AssertionError(f"not refused: {said}")
    missing = [part for part in said if part not in text]
    assert not missing, f"{missing} not in {text}"


def trial_scikit_learns_rules_hold_without_an_exception() -> None:
    from sklearn.utils.estimator_checks import check_estimator

    for sparsity in ("top-k", "kl"):
        results = check_estimator(
            deeplearning.SparseAutoencoder(sparsity=sparsity, epochs=2), on_fail=None, on_skip=None
        )
        wrong = [f"{one['check_name']}: {one['exception']}" for one in results if one["status"] in ("failed", "xfail")]
        assert not wrong, wrong
        assert sum(one["status"] == "passed" for one in results) > 40


def trial_nine_layers_are_ten_matrices_mirrored_about_the_code() -> None:
    fitted = deeplearning.SparseAutoencoder(epochs=0, progress=False).fit(digits())
    assert fitted.widths_ == (64, 64, 32, 32, 128)
    shapes = [tuple(one.shape) for one in fitted._network.weights]
    assert shapes == [
        (64, 64),
        (64, 64),
        (32, 64),
        (32, 32),
        (128, 32),
        (32, 128),
        (32, 32),
        (64, 32),
        (64, 64),
        (64, 64),
    ]
    assert deeplearning.parameters.widths_of(deeplearning.SparseAutoencoder(), pixels=3072) == (
        4096,
        4096,
        2048,
        2048,
        8192,
    )
    assert deeplearning.parameters.widths_of(deeplearning.SparseAutoencoder(layers=1), pixels=3072) == (8192,)


def trial_it_learns_to_redraw_digits() -> None:
    images = digits()
    fitted = model(layers=1, widths=(96,), epochs=30).fit(images)
    left = np.square(fitted.reconstruct(images) - images).mean() / (images - images.mean(axis=0)).var()
    assert left < 0.25, left
    assert abs(left - fitted.history_[-1]["unexplained"]) < 0.1 < fitted.history_[0]["unexplained"]


def trial_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    one, two, other = (weights(model(epochs=2, seed=seed).fit(digits())) for seed in (3, 3, 4))
    assert one == two != other


def trial_interrupted_saved_loaded_and_gone_on_with_is_as_if_nothing_had_happened() -> None:
    images = digits()
    for sparsity in ("top-k", "kl"):
        whole = model(epochs=3, sparsity=sparsity).fit(images)
        with interrupted_at(25):
            broken = model(epochs=3, sparsity=sparsity).fit(images)
        assert (broken.interrupted_, broken.epoch_, broken.batch_) == (True, 1, 25 - 600 // 32)
        assert broken.transform(images).shape == (600, 48)
        broken.save(WORK / "broken.npz")
        goes_on = deeplearning.SparseAutoencoder.load(WORK / "broken.npz").fit(images, resume=True)
        for other in (broken.fit(images, resume=True), goes_on, pickle.loads(pickle.dumps(whole))):
            assert weights(other) == weights(whole)
            assert other.history_ == whole.history_
            assert not other.interrupted_


def trial_a_second_ctrl_c_ends_at_once_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupted_at(3, times=2):
        refused(lambda: model().fit(digits()), kind=KeyboardInterrupt)  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGINT) is before


def trial_resume_asks_for_the_same_images_and_more_epochs_go_on() -> None:
    fitted = model(epochs=2).fit(digits())
    refused(lambda: fitted.fit(digits()[:500], resume=True), "there were 600, now 500", "partial_fit")
    steps = fitted._network.steps
    fitted.fit(digits(), resume=True)
    assert fitted._network.steps == steps
    fitted.set_params(epochs=3).fit(digits(), resume=True)
    assert (fitted.epoch_, len(fitted.history_)) == (3, 3)
    assert model(epochs=1).fit(digits(), resume=True).epoch_ == 1


def trial_a_memory_map_read_in_windows_gives_the_same_bits_as_the_array() -> None:
    images = digits()
    np.save(WORK / "images.npy", images)
    mapped = np.load(WORK / "images.npy", mmap_mode="r")
    with mock.patch.object(deeplearning.images, "WINDOW_BYTES", 150 * 64):
        array, streamed = model(epochs=2).fit(images), model(epochs=2).fit(mapped)
        with interrupted_at(14):
            broken = model(epochs=2).fit(mapped)
        goes_on = weights(broken.fit(images, resume=True))
        seen = [order for _, order in deeplearning.images.windows(600, rows=128, seed=(0, 0))]
    assert isinstance(mapped, np.memmap)
    assert weights(array) == weights(streamed) == goes_on
    assert [len(order) for order in seen] == [128] * 4 + [88]


def trial_windows_hold_every_row_once_from_all_over() -> None:
    rows = []
    for ranges, order in deeplearning.images.windows(1000, rows=256, seed=(1, 2)):
        held = np.concatenate([np.arange(part.start, part.stop) for part in ranges])
        assert held.max() - held.min() > 300
        rows.append(held[order])
    assert sorted(np.concatenate(rows)) == list(range(1000))
    assert np.concatenate(rows)[:5].tolist() != list(range(5))


def trial_batches_of_any_size_stream_and_can_be_interrupted() -> None:
    images = digits()

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, 600, 70):
            yield images[start : start + 70]

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return ((torch.from_numpy(part), "labels") for part in batches())

    whole = model(epochs=3).fit(batches)
    assert weights(model(epochs=3).fit(Loader())) == weights(whole)
    assert whole.image_shape_ == (8, 8)
    for step in (5, 30):
        with interrupted_at(step):
            broken = model(epochs=3).fit(batches)
        assert weights(broken.fit(batches, resume=True)) == weights(whole)
    once = model(epochs=1).fit(batches())
    assert once.epoch_ == 1
    assert once.partial_fit(batches())._network.steps == 2 * (600 // 32)


def trial_streams_that_make_no_sense_are_refused() -> None:
    images = digits()
    refused(lambda: model(epochs=2).fit(iter([images])), "read once only", "epochs=1")
    refused(lambda: model().fit(lambda: iter([images, images[:, :4]])), "one size", "batch 1 are 4 x 8")
    refused(lambda: model().fit(lambda: [images * np.float32("nan")]), "Batch 0 contains NaN")
    refused(lambda: model().fit(lambda: [images[:10]]), "before one batch of 32 images")
    refused(lambda: model().fit(lambda: [images[:1]]), "1 sample(s)")
    refused(lambda: model().fit(lambda: [np.array(["a"])]), "Batch 0 must be numbers")
    fitted = model(epochs=1).fit(images)
    refused(lambda: fitted.partial_fit(iter([images[:, :4]])), "(4, 8)", "(8, 8)")


def trial_an_error_of_the_stream_is_raised_where_it_is_read() -> None:
    def batches() -> Iterator[np.ndarray]:
        for _ in range(20):
            yield digits()[:300]
        raise OSError("the disk went away")

    refused(lambda: model().fit(batches), "the disk went away", kind=OSError)


def trial_an_error_of_the_stream_loses_nothing_that_was_fitted() -> None:
    images, reads = digits(), 0

    def batches() -> Iterator[np.ndarray]:
        nonlocal reads
        reads += 1
        yield images[:300]
        if reads == breaks:
            raise OSError("the disk went away")
        yield images[300:]

    breaks = 0
    whole = model(epochs=2).fit(batches)
    reads, breaks = 0, 2  # the first epoch goes on with what the first look began
    fitted = model(epochs=2)
    refused(lambda: fitted.fit(batches), "the disk went away", kind=OSError)
    assert (fitted.epoch_, fitted.batch_) == (1, 300 // 32)
    assert weights(fitted.fit(batches, resume=True)) == weights(whole)
    assert fitted.history_ == whole.history_


def trial_images_that_make_no_sense_are_refused() -> None:
    images = digits()
    refused(lambda: model().fit(images[:0]), "0 sample(s)")
    refused(lambda: model().fit(images[:1]), "1 sample(s)", "minimum of 2")
    refused(lambda: model().fit(images[0, 0]), "Expected 2D array")
    refused(lambda: model().fit([images[0], images[0][:4]]), "image 0 is 8 x 8, image 1 is 4 x 8", "Crop or resize")
    refused(lambda: model().fit(np.array([["a", "b"]] * 3)), "numeric")
    refused(lambda: model().fit(images + 1j), "Complex")
    holed = images.astype(np.float32)
    holed[5, 2, 2] = np.nan
    refused(lambda: model().fit(holed), "NaN")
    holed[5, 2, 2] = np.inf
    refused(lambda: model().fit(holed), "infinity")
    fitted = model(epochs=1).fit(images)
    refused(lambda: fitted.transform(images[:, :4]), "(4, 8)", "(8, 8)")
    refused(lambda: fitted.inverse_transform(np.zeros((2, 7))), "(n, 48)", "(2, 7)")
    refused(lambda: fitted.activations(images, layer=4), "layers 1 to 3")


def trial_parameters_that_make_no_sense_are_refused() -> None:
    for changed, *said in [
        ({"layers": 8}, "layers=8 has no middle: take 7 or 9"),
        ({"layers": 101}, "1 to 33"),
        ({"layers": 0}, "1 to 33"),
        ({"layers": 2.5}, "whole number"),
        ({"widths": (8, 8)}, "5 layers need 3"),
        ({"widths": (8, 8, 0)}, "above 0"),
        ({"sparsity": "l1"}, '"top-k" or "kl"'),
        ({"active": 0.0}, "active=0.0"),
        ({"active": 1, "sparsity": "kl"}, "below 1"),
        ({"precision": "int4"}, '"bfloat16"'),
        ({"epochs": -1}, "epochs=-1"),
        ({"batch": 0}, "batch=0"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"penalty": -1}, "penalty=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"device": "abacus"}, "device='abacus'", '"auto"'),
    ]:
        refused(lambda changed=changed: model(**changed).fit(digits()), *said)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused(lambda: model(rate=1e30).fit(digits()), "not finite", "with a rate below", kind=FloatingPointError)


def trial_a_top_k_code_keeps_the_largest_and_only_those() -> None:
    images = digits()
    fitted = model(epochs=1, active=0.125).fit(images)
    code = fitted.transform(images)
    assert ((code != 0).sum(axis=1) <= 6).all()
    assert (code >= 0).all()
    raw = torch.from_numpy(images.reshape(600, 64))
    with torch.no_grad():
        *_, before = [fitted._network.scaled(raw)]
        for weight, bias in zip(fitted._network.weights[:3], fitted._network.biases[:3], strict=True):
            before = torch.relu(before @ weight.T + bias)
    wanted = before.topk(6, dim=1).values.sum(dim=1).numpy()
    assert np.allclose(code.sum(axis=1), wanted, rtol=1e-4)


def trial_a_kl_code_is_active_the_share_that_was_asked_for() -> None:
    shares = [
        model(sparsity="kl", active=active, penalty=1.0, epochs=20).fit(digits()).transform(digits()).mean()
        for active in (0.1, 0.4)
    ]
    assert abs(shares[0] - 0.1) < 0.05, shares
    assert abs(shares[1] - 0.4) < 0.05, shares


def trial_the_code_of_an_image_depends_on_no_other_image() -> None:
    images = digits()
    fitted = model(epochs=1).fit(images)
    code = fitted.transform(images)
    assert (fitted.transform(images[::-1])[::-1] == code).all()
    assert (fitted.transform(images[257:258]) == code[257:258]).all()


def trial_any_number_type_and_container_is_taken() -> None:
    images = digits()
    wanted = model(epochs=1).fit(images).transform(images)
    for given in (
        list(images),
        torch.from_numpy(images),
        images.reshape(600, 64),
        images.astype(np.float64),
        images.astype(">u2"),
    ):
        assert np.allclose(model(epochs=1).fit(given).transform(given), wanted, atol=1e-5), type(given)
    assert model(epochs=1).fit(images[:, ::-1, ::-1]).image_shape_ == (8, 8)
    assert (
        model(epochs=1).fit(np.full((40, 4, 4), 7, dtype=np.uint8)).reconstruct(np.full((1, 4, 4), 7)).round(3).max()
        == 7
    )


def trial_uint8_stays_uint8_and_is_not_copied_on_a_cpu() -> None:
    images = np.ascontiguousarray(digits().reshape(600, 64))
    source = deeplearning.images.ArraySource(images, device=torch.device("cpu"), mapped=False)
    (batch, *_) = source.batches(32, seed=(0, 0), skip=0)
    assert source.placed.data_ptr() == images.ctypes.data
    assert batch.dtype == torch.uint8
    assert batch.shape == (32, 64)


def trial_images_come_back_in_their_own_units_and_shape() -> None:
    images = np.stack([digits()] * 3, axis=-1) * 15
    fitted = model(epochs=3).fit(images)
    drawn = fitted.reconstruct(images)
    assert drawn.shape == images.shape
    assert drawn.dtype == np.float32
    assert abs(drawn.mean() - images.mean()) < 10
    assert (drawn == fitted.inverse_transform(fitted.transform(images))).all()


def trial_filters_are_a_picture() -> None:
    import matplotlib

    matplotlib.use("agg")
    for images in (
        digits(),
        digits().reshape(600, 64),
        np.stack([digits()] * 3, axis=-1),
        digits().reshape(600, 4, 16),
    ):
        fitted = model(epochs=1).fit(images)
        assert fitted.filters(9).shape == (9, *images.shape[1:])
        norms = np.linalg.norm(fitted.filters(32).reshape(32, -1), axis=1)
        assert (np.diff(norms) <= 1e-6).all()
        file = io.BytesIO()
        figure = fitted.figure(9)
        figure.savefig(file, format="png")
        assert len(file.getvalue()) > 2000
        assert len(figure.axes) == 9


def trial_a_saved_model_is_the_same_and_holds_no_pickle() -> None:
    images = digits()
    fitted = model(epochs=1, sparsity="kl").fit(images)
    fitted.save(WORK / "model.npz")
    with zipfile.ZipFile(WORK / "model.npz") as held:
        assert all(b"'|O'" not in held.read(name)[:128] for name in held.namelist())
    again = deeplearning.SparseAutoencoder.load(WORK / "model.npz")
    assert again.get_params() | {"widths": (32, 16, 48)} == fitted.get_params()
    assert (again.transform(images) == fitted.transform(images)).all()
    fitted.save(WORK / "slim.npz", training=False)
    assert (WORK / "slim.npz").stat().st_size < 0.5 * (WORK / "model.npz").stat().st_size
    slim = deeplearning.SparseAutoencoder.load(WORK / "slim.npz")
    assert (slim.transform(images) == fitted.transform(images)).all()
    assert weights(slim.partial_fit(images)) != weights(fitted)
    assert not list(WORK.glob(".*partial"))


def trial_a_file_that_is_no_model_is_refused() -> None:
    model(epochs=1).fit(digits()).save(WORK / "good.npz")
    good = (WORK / "good.npz").read_bytes()
    np.savez(WORK / "other.npz", x=np.zeros(3))
    (WORK / "cut.npz").write_bytes(good[: len(good) // 2])
    (WORK / "text.npz").write_text("no archive")
    np.savez(WORK / "pickle.npz", facts=np.array([{"a": 1}], dtype=object))
    with np.load(WORK / "good.npz") as held:
        np.savez(WORK / "shape.npz", **(dict(held) | {"parameter_0": np.zeros((2, 2), dtype=np.float32)}))
    for name in ("other", "cut", "text", "pickle", "shape"):
        refused(lambda name=name: deeplearning.SparseAutoencoder.load(WORK / f"{name}.npz"), f"{name}.npz is no model")


def trial_the_line_says_how_it_goes_and_is_quiet_when_asked() -> None:
    with mock.patch.object(deeplearning.progress, "EVERY_SECONDS", 0.0):
        said = {shown: io.StringIO() for shown in (True, False, None)}
        for shown, stream in said.items():
            with contextlib.redirect_stderr(stream):
                model(progress=shown, epochs=2).fit(digits())
    line = said[True].getvalue()
    for part in (
        "epoch 1/2",
        "epoch 2/2",
        "images/s",
        "unexplained 0.",
        "left",
        "cpu, float32",
        "2 epochs, unexplained",
    ):
        assert part in line, line
    assert (said[False].getvalue(), said[None].getvalue()) == ("", "")
    with interrupted_at(3), contextlib.redirect_stderr(io.StringIO()) as stream:
        model(progress=True).fit(digits())
    assert "fit(images, resume=True) goes on" in stream.getvalue()


def trial_without_a_compiler_the_same_step_runs_and_says_so() -> None:
    wanted = weights(model(epochs=1).fit(digits()))
    with mock.patch.object(shutil, "which", return_value=None):
        plain = model(epochs=1, compiled=True).fit(digits())
    assert plain._step.note == "float32, no C compiler here: not compiled"
    assert weights(plain) == wanted

    def broken(_function: Any, **_options: Any) -> Any:
        return mock.Mock(side_effect=RuntimeError("gcc: internal error"))

    with mock.patch.object(torch, "compile", broken), mock.patch.object(shutil, "which", return_value="/usr/bin/c++"):
        plain = model(epochs=1, compiled=True).fit(digits())
    assert plain._step.note == "float32, compiling failed (RuntimeError): not compiled"
    assert weights(plain) == wanted


def trial_bfloat16_keeps_its_weights_in_float32() -> None:
    fitted = model(epochs=2, precision="bfloat16").fit(digits())
    assert fitted._step.note == "bfloat16"
    assert {one.dtype for one in fitted._network.parameters()} == {torch.float32}
    plain = model(epochs=2).fit(digits())
    assert weights(fitted) != weights(plain)
    assert abs(fitted.history_[-1]["unexplained"] - plain.history_[-1]["unexplained"]) < 0.05


def trial_the_batch_grows_with_the_images() -> None:
    batch = deeplearning.images.default_batch
    assert [batch(count) for count in (2, 31, 600, 50_000, 10_000_000, None)] == [2, 31, 32, 512, 16384, 1024]


def main() -> None:
    """Run every trial; say how each ended."""
    ended = {}
    for name, trial in [(name, one) for name, one in globals().items() if name.startswith("trial_")]:
        began = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error" if "scikit" not in name else "ignore")
                trial()
            ended[name] = ""
        except BaseException:
            ended[name] = traceback.format_exc()
        sys.stderr.write(f"{time.monotonic() - began:6.2f} s {name}\n")
    shutil.rmtree(WORK)
    json.dump(ended, sys.stdout)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import deeplearning
    import torch
    from deeplearning.network import Step

    torch.set_num_threads(1)
    main()
