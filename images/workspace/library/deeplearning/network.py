"""The network, its loss, and one step of training on whatever device there is.

Weights and moments are float32. With bfloat16 the matrix products run in it and the weights stay float32 (autocast). On
CUDA a step is recorded once as a graph and replayed. Where it is asked for and a C compiler is at hand, the loss is compiled.

Sources: a code of the largest activations, Makhzani and Frey, https://arxiv.org/abs/1312.5663; a code whose units are
active a given share of the time (Kullback-Leibler), Ng, CS294A lecture notes; AdamW, https://arxiv.org/abs/1711.05101.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

WARM_STEPS = 3  # of the graph: they run as they are, on a stream beside the usual one
WEIGHT_DECAY = 1e-4
# Pixels beside each other are alike, so training moves the first weights in a few directions only. Drawn this much smaller than
# the others, they show what was learned and not what was drawn; codes of rectified units keep their proportions.
FIRST_SCALE = 0.03


@dataclass(frozen=True)
class Plan:
    """What the network is, whatever device it runs on. ``widths`` are those going in, the code last."""

    pixels: int
    widths: tuple[int, ...]
    sparsity: str
    active: float
    penalty: float

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of the input, of each hidden layer, and of the output."""
        inwards = (self.pixels, *self.widths)
        return inwards + inwards[-2::-1]

    @property
    def kept(self) -> int:
        """Entries of a top-k code that may differ from 0."""
        return max(1, round(self.active * self.widths[-1]))


class Network:
    """Weights and moments on a device, the number of steps taken, and the step itself."""

    def __init__(self, plan: Plan, *, device: torch.device, seed: int, centre: np.ndarray, scale: float) -> None:
        self.plan, self.device, self.steps = plan, device, 0
        random = torch.Generator().manual_seed(seed)
        self.weights, self.biases = [], []
        for before, after in pairwise(plan.sizes):
            weight = torch.randn(after, before, generator=random) * (2 / before) ** 0.5
            if not self.weights:
                weight *= FIRST_SCALE
            self.weights.append(nn.Parameter(weight.to(device)))
            self.biases.append(nn.Parameter(torch.zeros(after, device=device)))
        self.centre, self.scale = torch.from_numpy(centre.copy()).to(device), scale
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.parameters()]

    def parameters(self) -> list[nn.Parameter]:
        return [*self.weights, *self.biases]

    def as_arrays(self, *, moments: bool) -> dict[str, np.ndarray]:
        """All that is needed to make it again; the moments are needed only to go on with training."""
        arrays = {"centre": self.centre.cpu().numpy(), "scale": np.float64(self.scale)}
        for place, parameter in enumerate(self.parameters()):
            arrays[f"parameter_{place}"] = parameter.detach().cpu().numpy()
            if moments:
                arrays[f"mean_{place}"], arrays[f"square_{place}"] = (one.cpu().numpy() for one in self.moments[place])
        return arrays

    @torch.no_grad()
    def take(self, arrays: dict[str, np.ndarray]) -> None:
        """Weights, and moments where there are some, are those of ``as_arrays``.

        Raises:
            ValueError, KeyError: they are not those of a network of this plan.
        """
        for place, (parameter, moments) in enumerate(zip(self.parameters(), self.moments, strict=True)):
            parameter.copy_(_same_shape(arrays[f"parameter_{place}"], parameter))
            for name, moment in zip(("mean", "square"), moments, strict=True):
                if f"{name}_{place}" in arrays:
                    moment.copy_(_same_shape(arrays[f"{name}_{place}"], moment))

    def scaled(self, raw: torch.Tensor) -> torch.Tensor:
        """Images (n, pixels) of any type as the network sees them: float32, less the mean image, with variance 1."""
        return raw.to(torch.float32, copy=True).sub_(self.centre).div_(self.scale)

    def hidden(self, x: torch.Tensor) -> Iterator[torch.Tensor]:
        """Scaled images (n, pixels) to the activations of each layer going in: (n, width), the code last."""
        for weight, bias in zip(self.weights[: self._depth - 1], self.biases, strict=False):
            x = functional.relu_(functional.linear(x, weight, bias))
            yield x
        x = functional.linear(x, self.weights[self._depth - 1], self.biases[self._depth - 1])
        yield torch.sigmoid(x.float()) if self.plan.sparsity == "kl" else self._largest(functional.relu_(x))

    def _largest(self, x: torch.Tensor) -> torch.Tensor:
        threshold = x.detach().topk(self.plan.kept, dim=1, sorted=False).values.amin(dim=1, keepdim=True)  # (n, 1)
        return torch.where(x >= threshold, x, 0.0)

    def redrawn(self, code: torch.Tensor) -> torch.Tensor:
        """Codes (n, width) to scaled images (n, pixels)."""
        for weight, bias in zip(self.weights[self._depth : -1], self.biases[self._depth : -1], strict=True):
            code = functional.relu_(functional.linear(code, weight, bias))
        return functional.linear(code, self.weights[-1], self.biases[-1])

    @property
    def _depth(self) -> int:
        return len(self.plan.widths)

    def losses(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What is minimised, and the unexplained share of variance alone."""
        x = self.scaled(raw)
        *_, code = self.hidden(x)
        unexplained = functional.mse_loss(self.redrawn(code).float(), x)
        if self.plan.sparsity != "kl":
            return unexplained, unexplained.detach()
        mean, wanted = code.mean(dim=0).clamp(1e-6, 1 - 1e-6), self.plan.active
        divergence = wanted * torch.log(wanted / mean) + (1 - wanted) * torch.log((1 - wanted) / (1 - mean))
        return unexplained + self.plan.penalty * divergence.mean(), unexplained.detach()


class Step:
    """One step of AdamW on a batch. ``note`` says in a few words how it runs."""

    def __init__(self, network: Network, *, bfloat16: bool, compiled: bool) -> None:
        self.network, self.bfloat16 = network, bfloat16
        self.cuda = network.device.type == "cuda"
        rate: float | torch.Tensor = torch.tensor(0.0, device=network.device) if self.cuda else 0.0
        fused = network.device.type in ("cuda", "cpu")
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY, fused=fused, capturable=self.cuda
        )
        for parameter, (mean, square) in zip(network.parameters(), network.moments, strict=True):
            count = torch.tensor(float(network.steps), device=network.device if fused else None)
            self.optimiser.state[parameter] = {"step": count, "exp_avg": mean, "exp_avg_sq": square}
        self.losses: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]] = network.losses
        self.why_not = ""
        self.compiled = compiled
        if self.compiled and not has_compiler(network.device):
            self.compiled, self.why_not = False, "no C compiler here: not compiled"
        if self.compiled:
            self.losses = torch.compile(network.losses, dynamic=False)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.graphed, self.taken = self.cuda, 0
        self.raw, self.unexplained = torch.empty(0), torch.empty(0)

    @property
    def note(self) -> str:
        """For the line of progress: precision, and what was done to the step."""
        said = ["bfloat16" if self.bfloat16 else "float32"]
        said += ["compiled"] if self.compiled else []
        said += ["graph"] if self.graphed else []
        return ", ".join([*said, self.why_not] if self.why_not else said)

    def __call__(self, raw: torch.Tensor, *, rate: float) -> torch.Tensor:
        """Images (n, pixels) in, the unexplained share before this step out (on the device, valid until the next step)."""
        for group in self.optimiser.param_groups:
            if self.cuda:
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.network.steps += 1
        if self.graphed:
            return self._graph_step(raw)
        return self._plain_step(raw)

    def _plain_step(self, raw: torch.Tensor) -> torch.Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        try:
            loss, unexplained = self._forward(raw)
        except Exception as error:
            if not self.compiled:
                raise
            # Compilation happens at the first call. Whatever stops it, the same step runs without it.
            self.compiled, self.losses = False, self.network.losses
            self.why_not = f"compiling failed ({type(error).__name__}): not compiled"
            loss, unexplained = self._forward(raw)
        loss.backward()
        self.optimiser.step()
        return unexplained

    def _forward(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kind = self.network.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self.bfloat16, cache_enabled=False):
            return self.losses(raw)

    def _graph_step(self, raw: torch.Tensor) -> torch.Tensor:
        """The first steps on a stream of their own, as a recording asks for; then one recording, replayed."""
        if self.graph is not None and raw.shape == self.raw.shape:
            self.raw.copy_(raw)
            self.graph.replay()
            return self.unexplained
        if self.taken < WARM_STEPS:
            self.taken += 1
            beside, usual = torch.cuda.Stream(self.network.device), torch.cuda.current_stream(self.network.device)
            beside.wait_stream(usual)
            with torch.cuda.stream(beside):
                unexplained = self._plain_step(raw)
            usual.wait_stream(beside)
            return unexplained
        try:
            self.graph, self.raw = torch.cuda.CUDAGraph(), raw.clone()
            self.optimiser.zero_grad(set_to_none=True)
            with torch.cuda.graph(self.graph):
                self.unexplained = self._plain_step(self.raw)
        except RuntimeError as error:
            self.graphed, self.graph = False, None
            self.why_not = f"recording failed ({str(error).splitlines()[0][:60]}): no graph"
            return self._plain_step(raw)
        self.graph.replay()
        return self.unexplained


def has_compiler(device: torch.device) -> bool:
    """``torch.compile`` finds what it needs: a C++ compiler for a CPU, a C compiler for Triton on a GPU."""
    if device.type == "cpu":
        names = [os.environ.get("CXX", ""), "g++", "clang++", "c++"]
    else:
        names = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    return any(shutil.which(name) for name in names if name)


def _same_shape(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    if array.shape != tuple(like.shape) or array.dtype != np.float32:
        raise ValueError(f"{array.shape} {array.dtype} where {tuple(like.shape)} float32 was to be")
    return torch.from_numpy(np.array(array))
