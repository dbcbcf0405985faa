"""What holds on shared GPUs, as checks on one decision in a world: one cohort a GPU, and what follows for all else.

A free part counts as usable by a cohort where nobody else holds, was given, or has kept for them any part of its GPU.
"""

from __future__ import annotations

from collections import defaultdict

from practicum.gpus.policy import Decisions, Request, Snapshot
from tests.unit.gpus import invariants
from tests.unit.gpus.invariants import Cohort, Counts, is_open
from tests.unit.gpus.world import World


def shared_pool(world: World, before: Snapshot, decisions: Decisions) -> Counts:
    return Counts(1, world, before, decisions)


def holders(counts: Counts) -> dict[str, set[Cohort]]:
    """The cohorts on each GPU after the decision."""
    found: dict[str, set[Cohort]] = defaultdict(set)
    for holding in counts.holdings:
        for slot in holding.slots:
            found[counts.slots[slot].gpu].add(holding.cohort)
    for request, grant in counts.grants:
        for slot in grant.slots:
            found[counts.slots[slot].gpu].add(request.cohort)
    return found


def i19_one_cohort_a_shared_gpu(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Never do two cohorts hold parts of one GPU."""
    for gpu, cohorts in holders(shared_pool(world, before, decisions)).items():
        assert len(cohorts) <= 1, f"{gpu}: {cohorts}"


def i03_limits_of_shared(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Limits of cohorts and people hold; where a GPU is opened by a borrower, what others never lend still fits."""
    counts = shared_pool(world, before, decisions)
    for request, _ in counts.grants:
        quota = counts.quota(request.cohort)
        if quota.borrowing_limit is not None:
            assert counts.held[request.cohort] <= counts.right(request.cohort) + quota.borrowing_limit
        assert quota.per_intern is None or counts.leases[request.cohort, request.user] <= quota.per_intern
        assert request.purpose != "session" or counts.sessions[request.user] == 1


def i06_work_conserving_on_shared(world: World, before: Snapshot, decisions: Decisions) -> None:
    """Nobody waits while a part they can use is free, unless its GPU is kept for somebody who is named."""
    counts = shared_pool(world, before, decisions)
    marks = {mark.slot: mark for mark in counts.marks}
    kept = {counts.slots[slot].gpu for slot in marks}
    on = holders(counts)
    for request in counts.waiting:
        if not counts.may_have_one(request):
            continue
        mine = {request.cohort}
        free = [slot for slot in counts.free - marks.keys() if is_usable(counts.slots[slot].gpu, on, kept, mine)]
        others = [c for c in counts.cohorts() if c is not None and c != request.cohort]
        room = len(counts.usable) - sum(counts.never_lent(cohort) for cohort in others)
        assert request.size > len(free) or request.size > room
        if counts.held[request.cohort] + request.size <= counts.right(request.cohort):
            own = [m for m in counts.marks if m.cohort == request.cohort and not m.request and is_open(m, counts)]
            assert request.size > len(free) + sum(on[counts.slots[mark.slot].gpu] <= mine for mark in own)


def is_usable(gpu: str, on: dict[str, set[Cohort]], kept: set[str], mine: set[Cohort]) -> bool:
    """It is the cohort's own, or open and not kept for anybody."""
    return on[gpu] == mine or (not on[gpu] and gpu not in kept)


def i09_asks_nobody_in_vain(world: World, before: Snapshot, decisions: Decisions) -> None:
    """For a request only such are asked back as, with what goes anyway, leave their GPU to its cohort; and each is needed."""
    counts = shared_pool(world, before, decisions)
    requests: dict[object, Request] = {request.id: request for request in counts.waiting}
    asked = {holding.id for holding, reclaim in counts.asked if reclaim.request or reclaim.reservation}
    gains: dict[object, dict[str, int]] = defaultdict(dict)
    for holding, reclaim in counts.asked:
        if reclaim.request is None or len(holding.slots) > 1:
            continue
        cohort = requests[reclaim.request].cohort
        gpu = counts.slots[holding.slots[0]].gpu
        on_it = [h for h in counts.holdings if any(counts.slots[slot].gpu == gpu for slot in h.slots)]
        assert all(h.cohort == cohort or h.id in asked or counts.is_going(h) for h in on_it)
        parts = [slot.id for slot in counts.slots.values() if slot.gpu == gpu and slot.is_usable]
        held = [slot for h in on_it if h.cohort == cohort for slot in h.slots]
        gains[reclaim.request][gpu] = len(set(parts) - set(held))
    for id, freed in gains.items():
        assert sum(freed.values()) - min(freed.values()) < requests[id].size


ON_SHARED = (
    i19_one_cohort_a_shared_gpu,
    i03_limits_of_shared,
    i06_work_conserving_on_shared,
    i09_asks_nobody_in_vain,
    invariants.i01_no_double_allocation,
    invariants.i02_conservation,
    invariants.i05_never_inside_a_guarantee,
    invariants.i08_no_ping_pong,
    invariants.i15_idle_safety,
    invariants.i17_deterministic,
    invariants.i20_near_is_a_choice_among_equals,
    invariants.the_line_is_complete,
)
