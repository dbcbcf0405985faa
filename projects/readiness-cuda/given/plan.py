"""Fits a training step into the memory of a card. What stands here looks at one sample and forgets the rest."""

from __future__ import annotations


def plan(card_gb: float, taken_gb: float, measured: list[dict], batch: int) -> tuple[int, int, bool]:
    """How many samples at once, how many such steps make one batch, and whether with activation checkpointing.

    ``measured`` lists {"samples": 2, "checkpointing": False, "peak_gb": 7.1} for a few small numbers of samples.
    """
    free_gb = card_gb - taken_gb - 0.5
    one = {m["checkpointing"]: m["peak_gb"] for m in measured if m["samples"] == 1}
    return batch, 1, one[False] > free_gb
