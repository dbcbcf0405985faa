"""``practicum retention``: what of which cohort is kept until when. Nothing is changed."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.timezone import localtime

from practicum.lib.clock import utc_now
from practicum.persons import retention_selectors


class Command(BaseCommand):
    """A line for each part of each cohort for which days are set."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """For whom."""
        parser.add_argument("--json", action="store_true", help="For programs: a list of objects.")

    def handle(self, *_: Any, **options: Any) -> None:
        """Print it."""
        today, rows = localtime(utc_now()).date(), []
        for retention in retention_selectors.all_retentions():
            for each in retention_selectors.outlooks(retention.cohort, retention=retention, today=today):
                removal = each.removal
                rows.append(
                    {
                        "cohort": retention.cohort.slug,
                        "part": each.part.value,
                        "count": each.count,
                        "gigabytes": None if each.bytes is None else each.bytes / 1e9,
                        "due_on": each.due_on.isoformat() if each.due_on else None,
                        "told_at": removal.told_at.isoformat() if removal else None,
                        "removed_at": removal.done_at.isoformat() if removal and removal.done_at else None,
                        "waits_for": removal.waits_for if removal else "",
                    }
                )
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
            return
        for row in rows:
            size = "size unknown" if row["gigabytes"] is None else f"{row['gigabytes']:.2f} GB"
            when = (
                f"removed {row['removed_at']:.10}"
                if row["removed_at"]
                else f"goes on {row['due_on'] or 'no day: kept'}"
            )
            told = ", people were told" if row["told_at"] else ""
            waits = f"; it waits: {row['waits_for']}" if row["waits_for"] else ""
            self.stdout.write(f"{row['cohort']:20} {row['part']:12} {row['count']:>6} {size:>14}  {when}{told}{waits}")
        if not rows:
            self.stdout.write("For no cohort days are set: everything is kept.")
