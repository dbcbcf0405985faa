"""What an agent's report changes: a server's slots, what is broken about them, and how leases use them.

A report never takes a slot away from its holder: a slot it no longer lists is only given to nobody new, and a GPU that
another server says it has stays where a lease holds it. While a lease is live on a slot that is gone (a GPU divided anew
into MIG instances, or put together again), no other slot of the same GPU is given away: their silicon is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.text import slugify

from practicum.accounts.models import User
from practicum.audit.services import record
from practicum.errors import Conflict, NotFound
from practicum.gpus.models import LIVE_STATES, Lease, Pool, PoolKind, Server, ServerState, Slot, SlotKind
from practicum.gpus.telemetry import Sample, take_samples
from practicum.internships.models import Cohort
from practicum.lib.digest import digest_bytes

CPU_POOL = "CPU slots"
DRAINED = "The server {server} is being taken out of use."
SLUG_LENGTH = 80
POOL_NAME_LENGTH = 120
DIVIDED_ANEW = "It was divided anew while a lease held it. It is given away when that lease has ended."
REPORTED = (
    "server",
    "pool",
    "kind",
    "index",
    "gpu",
    "parts",
    "model",
    "memory_bytes",
    "memory_used_bytes",
    "utilization_percent",
    "is_present",
    "fault",
)
SlotKey = tuple[str, int]


@dataclass(frozen=True)
class Instance:
    """A MIG instance as its server's agent sees it."""

    uuid: str
    index: int
    profile: str
    memory_bytes: int
    memory_used_bytes: int


@dataclass(frozen=True)
class Gpu:
    """A GPU as its server's agent sees it. ``utilization_percent`` is None where the driver can't tell.

    ``instances`` is None where MIG is off; where it is on, they are the slots, and the GPU itself is none.
    """

    uuid: str
    index: int
    model: str
    memory_bytes: int
    memory_used_bytes: int
    utilization_percent: float | None
    fault: str = ""
    instances: tuple[Instance, ...] | None = None


@dataclass(frozen=True)
class Report:
    """All that one report says. ``boot`` names the run of the agent whose numbers the samples carry."""

    gpus: Sequence[Gpu] = ()
    cpu_slots: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    boot: str = ""
    samples: Sequence[Sample] = ()


@transaction.atomic
def register_report(server: Server, *, report: Report, now: datetime) -> Server:
    """Take over what the agent of ``server`` sees: its slots are these, it was seen now, and its samples are counted.

    Locked: the server's row. A report that comes twice changes nothing more.

    Raises:
        Conflict: a GPU it lists is held on another server; nothing was taken over.
    """
    server = Server.objects.select_for_update(of=("self",)).select_related("cohort").get(pk=server.pk)
    _take_slots(server, report=report, now=now)
    last = server.last_sample if report.boot == server.boot else 0
    take_samples(server, samples=[sample for sample in report.samples if sample.number > last], now=now)
    server.seen_at, server.versions, server.boot = now, dict(report.versions), report.boot
    server.last_sample = max([last, *(sample.number for sample in report.samples)])
    server.save(update_fields=["seen_at", "versions", "boot", "last_sample"])
    return server


def _take_slots(server: Server, *, report: Report, now: datetime) -> None:
    listed = _slots_of(report, server=server)
    uuids = {slot.uuid for slot in listed}
    _refuse_held_elsewhere(uuids, server=server)
    before = {(slot.uuid, slot.part): slot for slot in Slot.objects.filter(server=server)}
    _hold_back_divided_anew(listed, server=server)
    Slot.objects.bulk_create(listed, update_conflicts=True, unique_fields=["uuid", "part"], update_fields=REPORTED)
    keys = {(slot.uuid, slot.part) for slot in listed}
    gone = [slot for key, slot in before.items() if slot.is_present and key not in keys]
    Slot.objects.filter(pk__in=[slot.pk for slot in gone]).update(is_present=False)
    were_there = {slot.uuid for slot in before.values() if slot.is_present}
    if server.seen_at is None or were_there != uuids:
        added, missing = sorted(uuids - were_there), sorted(were_there - uuids)
        record("server.inventory", subject=server, actor=None, now=now, added=added, missing=missing)
    _tell_faults(listed, before=before, now=now)


def _slots_of(report: Report, *, server: Server) -> list[Slot]:
    pools = Pools(server.cohort)
    shared = Slot.objects.filter(uuid__in=[gpu.uuid for gpu in report.gpus], part=0, parts__gt=1)
    shares = dict(shared.values_list("uuid", "parts"))
    slots = [
        slot
        for gpu in report.gpus
        for slot in (
            _whole_or_shared(gpu, parts=shares.get(gpu.uuid, 1), pools=pools)
            if gpu.instances is None
            else _instances(gpu, pools=pools)
        )
    ]
    slots += [_cpu_slot(i, server=server, pools=pools) for i in range(report.cpu_slots)]
    for slot in slots:
        slot.server = server
    return slots


def _whole_or_shared(gpu: Gpu, *, parts: int, pools: Pools) -> Iterator[Slot]:
    for part in range(parts):
        yield Slot(
            pool=pools.of_gpu(gpu.model, memory_bytes=gpu.memory_bytes, parts=parts),
            kind=SlotKind.GPU,
            index=gpu.index,
            uuid=gpu.uuid,
            gpu=gpu.uuid,
            part=part,
            parts=parts,
            model=gpu.model,
            memory_bytes=gpu.memory_bytes,
            memory_used_bytes=gpu.memory_used_bytes,
            utilization_percent=gpu.utilization_percent,
            fault=gpu.fault,
        )


def _instances(gpu: Gpu, *, pools: Pools) -> Iterator[Slot]:
    for instance in gpu.instances or ():
        name = f"{gpu.model} MIG {instance.profile}"
        yield Slot(
            pool=pools.of(name, kind=PoolKind.MIG, memory_bytes=instance.memory_bytes),
            kind=SlotKind.GPU,
            index=gpu.index,
            uuid=instance.uuid,
            gpu=gpu.uuid,
            model=f"{name}, instance {instance.index}",
            memory_bytes=instance.memory_bytes,
            memory_used_bytes=instance.memory_used_bytes,
            utilization_percent=None,
            fault=gpu.fault,
        )


def _cpu_slot(index: int, *, server: Server, pools: Pools) -> Slot:
    pool = pools.of(CPU_POOL, kind=PoolKind.CPU)
    return Slot(pool=pool, kind=SlotKind.CPU, index=index, uuid=f"cpu:{server.name}:{index}", model="CPU")


class Pools:
    """The pools of one server's slots, each asked for once; those of a machine for one ``cohort`` are that cohort's alone."""

    def __init__(self, cohort: Cohort | None) -> None:
        self._cohort = cohort
        self._found: dict[str, Pool] = {}

    def of(self, name: str, *, kind: PoolKind, memory_bytes: int = 0) -> Pool:
        """The pool of slots of this name and kind."""
        if name not in self._found:
            whole = f"{name}, {self._cohort.name} only" if self._cohort else name
            self._found[name] = pool_of(name=whole, kind=kind, memory_bytes=memory_bytes, cohort=self._cohort)
        return self._found[name]

    def of_gpu(self, model: str, *, memory_bytes: int, parts: int) -> Pool:
        """The pool of whole GPUs of this model, or of their ``parts``-th parts."""
        if parts == 1:
            return self.of(model, kind=PoolKind.GPU, memory_bytes=memory_bytes)
        return self.of(f"{model}, 1/{parts} shared", kind=PoolKind.SHARED, memory_bytes=memory_bytes // parts)


def pool_of(*, name: str, kind: PoolKind, memory_bytes: int = 0, cohort: Cohort | None = None) -> Pool:
    """The pool of slots of this kind; made when the first is reported."""
    facts = {"name": name[:POOL_NAME_LENGTH], "kind": kind, "memory_bytes": memory_bytes, "cohort": cohort}
    slug = slugify(name) or str(kind)
    if len(slug) > SLUG_LENGTH:
        slug = f"{slug[: SLUG_LENGTH - 9]}-{digest_bytes(name.encode())[:8]}"
    return Pool.objects.get_or_create(slug=slug, defaults=facts)[0]


def _refuse_held_elsewhere(uuids: set[str], *, server: Server) -> None:
    held = Slot.objects.filter(uuid__in=uuids, leases__state__in=LIVE_STATES)
    elsewhere = held.exclude(server=server).first()
    if elsewhere is not None:
        raise Conflict(f"{elsewhere.uuid} is in use on another server; it can't be here too.")


def _hold_back_divided_anew(listed: Sequence[Slot], *, server: Server) -> None:
    """Give away nothing of a GPU of which a lease holds a slot that is not there any more."""
    keys = {(slot.uuid, slot.part) for slot in listed}
    rows = Slot.objects.filter(server=server, leases__state__in=LIVE_STATES).values_list("uuid", "part", "gpu")
    held = {(uuid, part): gpu for uuid, part, gpu in rows}
    divided = {gpu for key, gpu in held.items() if key not in keys and gpu}
    for slot in listed:
        if slot.gpu in divided and (slot.uuid, slot.part) not in held and not slot.fault:
            slot.fault = DIVIDED_ANEW


def _tell_faults(listed: Sequence[Slot], *, before: Mapping[SlotKey, Slot], now: datetime) -> None:
    """Put on record what broke and what was mended, with the lease that it hits."""
    told = {(slot.uuid, slot.part): slot.fault for slot in listed}
    changed = {key for key, fault in told.items() if fault != (before[key].fault if key in before else "")}
    if not changed:
        return
    rows = Slot.objects.filter(uuid__in={uuid for uuid, _ in changed})
    for slot in [row for row in rows if (row.uuid, row.part) in changed]:
        lease = Lease.objects.filter(slot=slot, state__in=LIVE_STATES).select_related("user").first()
        facts = {"lease": str(lease.pk), "holder": lease.user.username} if lease else {}
        verb = "slot.fault" if slot.fault else "slot.mended"
        record(verb, subject=slot, actor=None, now=now, slot=slot.label, fault=slot.fault, **facts)


@transaction.atomic
def set_server_state(
    name: str, *, state: ServerState, actor: User, now: datetime, drain_until: datetime | None = None
) -> Server:
    """Say whether new leases may go to a server. Running ones stay, those on a draining one until ``drain_until``.

    Their holders are asked back with it: each lease's ``reclaim_at`` is that moment, and is taken back with the drain.

    Raises:
        NotFound: there is no such server.
    """
    server = Server.objects.select_for_update().filter(name=name).first()
    if server is None:
        raise NotFound
    until = drain_until if state == ServerState.DRAINING else None
    if (server.state, server.drain_until) == (state, until):
        return server
    leases = Lease.objects.filter(slot__server=server, state__in=LIVE_STATES)
    if server.drain_until is not None:
        leases.filter(reclaim_at=server.drain_until).update(reclaim_at=None, reason="")
    if until is not None:
        leases.filter(reclaim_at__isnull=True).update(reclaim_at=until, reason=DRAINED.format(server=server.name))
    facts = {"before": server.state, "after": state} | ({"until": until.isoformat()} if until else {})
    server.state, server.drain_until = state, until
    if state != ServerState.OFFLINE:
        server.given_up_at = None
    server.save(update_fields=["state", "drain_until", "given_up_at"])
    record("server.state", subject=server, actor=actor, now=now, **facts)
    return server
