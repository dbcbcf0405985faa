"""Slots that were there before pools get theirs. By itself: PostgreSQL changes no table with triggers still to run."""

from django.db import migrations
from django.utils.text import slugify


def give_slots_their_pools(apps, schema_editor):
    """Slots that were there before pools: one pool a model of GPU, one for all CPU slots."""
    Pool, Slot, Lease = (apps.get_model("gpus", name) for name in ("Pool", "Slot", "Lease"))
    for slot in Slot.objects.all():
        is_gpu = slot.kind == "gpu"
        pool, _ = Pool.objects.get_or_create(
            slug=(slugify(slot.model)[:80] or "gpu") if is_gpu else "cpu-slots",
            defaults={
                "name": slot.model if is_gpu else "CPU slots",
                "kind": slot.kind,
                "memory_bytes": slot.memory_bytes,
            },
        )
        Slot.objects.filter(pk=slot.pk).update(pool=pool)
        Lease.objects.filter(slot=slot.pk).update(pool=pool)


class Migration(migrations.Migration):
    dependencies = [("gpus", "0002_pools_quotas_reservations")]

    operations = [migrations.RunPython(give_slots_their_pools, migrations.RunPython.noop, elidable=True)]
