"""What a GPU server's agent calls. Its token says which server it speaks for; a report can name no other."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from practicum.errors import Invalid
from practicum.gpus.agent_figures import Figures, keep_figures
from practicum.gpus.inventory import Gpu, Instance, Report, register_report
from practicum.gpus.telemetry import GpuUse, Sample, Use
from practicum.gpus.tokens import server_of
from practicum.lib.clock import utc_now
from practicum.lib.payload import Payload

MAX_BYTES = 1024 * 1024
MAX_GPUS = 64
MAX_INSTANCES = 16
MAX_CPU_SLOTS = 256
MAX_MEMORY_BYTES = 1 << 50
MAX_SAMPLES = 60
MAX_USES = 512
MAX_NUMBER = 2**53
MAX_AGE_SECONDS = 2 * 86_400.0
MAX_SAMPLE_SECONDS = 60.0
MAX_UPTIME_SECONDS = 100 * 365 * 86_400.0
# "GPU-" and "MIG-" and a UUID, as NVML gives them; never "all", never an index, never a list.
GPU_UUID = re.compile(r"GPU-[A-Za-z0-9-]{8,72}")
MIG_UUID = re.compile(r"MIG-[A-Za-z0-9/-]{8,76}")
CONTAINER = re.compile(r"([0-9a-f]{64})?")
BOOT = re.compile(r"[0-9a-f]{8,32}")
PROFILE = re.compile(r"[0-9a-z.+]{2,24}")


@csrf_exempt
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """Take one report: which GPUs the server has, what is broken, and what used them since the last."""
    now = utc_now()
    server = server_of(request, now=now)
    payload = Payload.parse(request.body, max_bytes=MAX_BYTES)
    taken = Report(
        boot=_matching(payload, "boot", pattern=BOOT, example="letters a to f and digits"),
        gpus=_gpus(payload),
        cpu_slots=payload.integer("cpu_slots", maximum=MAX_CPU_SLOTS),
        versions=payload.texts("versions", at_most=20, max_length=120),
        samples=[_sample(entry, now=now) for entry in payload.objects("samples", at_most=MAX_SAMPLES)],
    )
    figures = _figures(payload)
    register_report(server, report=taken, now=now)
    if figures is not None:
        keep_figures(server, figures=figures)
    return HttpResponse(status=204)


def _figures(payload: Payload) -> Figures | None:
    """What the agent tells of itself; an older one tells nothing."""
    told = payload.entry_or_none("figures")
    if told is None:
        return None
    counts = {name: told.integer(name, maximum=MAX_NUMBER) for name in ("sent", "refused", "kept", "lost", "faults")}
    return Figures(**counts, uptime_seconds=told.number("uptime_seconds", maximum=MAX_UPTIME_SECONDS))


def _gpus(payload: Payload) -> list[Gpu]:
    gpus = [_gpu(entry) for entry in payload.objects("gpus", at_most=MAX_GPUS)]
    uuids = [uuid for gpu in gpus for uuid in (gpu.uuid, *(one.uuid for one in gpu.instances or ()))]
    if len(set(uuids)) < len(uuids):
        raise Invalid("'gpus' lists a GPU twice.", field="gpus")
    return gpus


def _gpu(entry: Payload) -> Gpu:
    instances = entry.objects_or_none("instances", at_most=MAX_INSTANCES)
    return Gpu(
        uuid=_matching(entry, "uuid", pattern=GPU_UUID, example="GPU-…"),
        index=entry.integer("index", maximum=1023),
        model=entry.text("model", max_length=80),
        memory_bytes=entry.integer("memory_bytes", maximum=MAX_MEMORY_BYTES),
        memory_used_bytes=entry.integer("memory_used_bytes", maximum=MAX_MEMORY_BYTES),
        utilization_percent=entry.number_or_none("utilization_percent", maximum=100),
        fault=entry.text("fault", max_length=200),
        instances=None if instances is None else tuple(_instance(instance) for instance in instances),
    )


def _instance(entry: Payload) -> Instance:
    return Instance(
        uuid=_matching(entry, "uuid", pattern=MIG_UUID, example="MIG-…"),
        index=entry.integer("index", maximum=63),
        profile=_matching(entry, "profile", pattern=PROFILE, example="1g.10gb"),
        memory_bytes=entry.integer("memory_bytes", maximum=MAX_MEMORY_BYTES),
        memory_used_bytes=entry.integer("memory_used_bytes", maximum=MAX_MEMORY_BYTES),
    )


def _sample(entry: Payload, *, now: datetime) -> Sample:
    uses = entry.objects_or_none("uses", at_most=MAX_USES)
    return Sample(
        number=entry.integer("number", minimum=1, maximum=MAX_NUMBER),
        at=now - timedelta(seconds=entry.number("age_seconds", maximum=MAX_AGE_SECONDS)),
        seconds=entry.number("seconds", maximum=MAX_SAMPLE_SECONDS),
        gpus=dict(_gpu_use(gpu) for gpu in entry.objects("gpus", at_most=MAX_GPUS)),
        uses=None if uses is None else [_use(use) for use in uses],
    )


def _gpu_use(entry: Payload) -> tuple[str, GpuUse]:
    use = GpuUse(
        memory_used_bytes=entry.integer("memory_used_bytes", maximum=MAX_MEMORY_BYTES),
        utilization_percent=entry.number_or_none("utilization_percent", maximum=100),
    )
    return _matching(entry, "uuid", pattern=GPU_UUID, example="GPU-…"), use


def _use(entry: Payload) -> Use:
    return Use(
        container=_matching(entry, "container", pattern=CONTAINER, example="64 hexadecimal digits, or nothing"),
        gpu=entry.text("gpu", max_length=80),
        processes=entry.integer("processes", maximum=100_000),
        memory_bytes=entry.integer("memory_bytes", maximum=MAX_MEMORY_BYTES),
        sm_percent=entry.number_or_none("sm_percent", maximum=100),
    )


def _matching(entry: Payload, name: str, *, pattern: re.Pattern[str], example: str) -> str:
    value = entry.text(name, max_length=80)
    if not pattern.fullmatch(value):
        raise Invalid(f"'{name}' must look like this: {example}.", field=name)
    return value
