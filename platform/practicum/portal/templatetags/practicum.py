"""How numbers, times and states are written, the same on every page: ``{% load practicum %}``.

Words: the *tone* of a state is its colour family: ``wait``, ``live``, ``good``, ``warn``, ``bad`` or ``quiet``.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.apps import apps
from django.forms import BoundField, Select
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from practicum.lib.clock import utc_now
from practicum.portal.permissions import WORDS

register = template.Library()

DASH = "–"
MINUS = "−"
LONGEST_FACT = 300
TONES = {
    "received": "wait",
    "queued": "wait",
    "starting": "live",
    "running": "live",
    "taking": "live",
    "unpacking": "live",
    "waiting": "wait",
    "kept": "good",
    "done": "good",
    "granted": "live",
    "offered": "good",
    "placed": "good",
    "waitlisted": "wait",
    "paused": "warn",
    "declined": "warn",
    "online": "good",
    "active": "live",
    "stopping": "warn",
    "draining": "warn",
    "scored": "good",
    "ready": "good",
    "issued": "good",
    "preparing": "live",
    "accepted": "good",
    "completed": "good",
    "reached": "good",
    "invalid": "warn",
    "changes": "warn",
    "overdue": "warn",
    "failed": "bad",
    "offline": "bad",
    "revoked": "bad",
}
UNITS = ("kB", "MB", "GB", "TB")


@register.filter
def tone(state: object) -> str:
    """The colour family of a state."""
    return TONES.get(str(state), "quiet")


@register.filter
def score(value: float | str | None, digits: int = 3) -> str:
    """A score with a fixed number of digits; a dash where there is none (templates say "" for None's attributes)."""
    return DASH if value is None or isinstance(value, str) else f"{value:.{int(digits)}f}".replace("-", MINUS)


@register.filter
def signed(value: float | str | None, digits: int = 3) -> str:
    """A difference, always with its sign ("±" where it rounds to nothing); a dash where there is none."""
    if value is None or isinstance(value, str):
        return DASH
    written = f"{abs(value):.{int(digits)}f}"
    sign = "±" if not float(written) else MINUS if value < 0 else "+"
    return f"{sign}{written}"


@register.filter
def absolute(value: float) -> float:
    """A number without its sign."""
    return abs(value)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A moment as people say it ("3 minutes ago", "in 2 hours"), with the exact time on hover."""
    if moment is None:
        return DASH
    seconds = round((utc_now() - moment).total_seconds())
    exact = localtime(moment).strftime("%A %-d %B %Y, %H:%M:%S")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), exact, _from_now(seconds)
    )


def _from_now(seconds: int) -> str:
    if abs(seconds) < 10:
        return "just now" if seconds >= 0 else "now"
    length = duration(abs(seconds), 1)
    return f"{length} ago" if seconds > 0 else f"in {length}"


@register.filter
def duration(length: timedelta | float | None, parts: int = 2) -> str:
    """A length of time in its largest units: ``2 h 5 min``, ``12 s``, ``3 days``. A bare number is in seconds."""
    if length is None:
        return DASH
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    left, written = round(seconds), []
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            written.append(f"{count} {unit}{'s' if unit == 'day' and count != 1 else ''}")
        elif written:
            break
    return " ".join(written[: int(parts)]) or "0 s"


@register.filter(name="bytes")
def byte_size(count: float | None) -> str:
    """A size in decimal units: ``1.2 MB``."""
    if count is None:
        return DASH
    if count < 1000:
        return f"{count:.0f} bytes"
    size = float(count)
    for unit in UNITS:
        size /= 1000
        if size < 999.5 or unit == UNITS[-1]:
            break
    return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"


@register.filter
def gpu_memory(count: float | None) -> str:
    """A GPU's memory in binary units, as ``nvidia-smi`` counts it: a card sold as 80 GB has ``80 GiB``."""
    if count is None:
        return DASH
    size = count / 1024**3
    return f"{size:.1f} GiB" if size < 10 else f"{size:.0f} GiB"


@register.filter
def day(when: date | None) -> str:
    """A date without its year: ``Wed 18 Mar``."""
    return DASH if when is None else when.strftime("%a %-d %b")


@register.filter
def item(mapping: dict[str, Any], key: str) -> Any:
    """``mapping[key]``, for keys that are not names."""
    return mapping.get(key)


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's input in our looks, tied to its help and its errors for screen readers."""
    kind = "form-select" if isinstance(field.field.widget, Select) else "form-control"
    attributes: dict[str, str | bool] = {"class": f"{kind} is-invalid" if field.errors else kind}
    described = [f"{field.id_for_label}_helptext"] if field.help_text else []
    if field.errors:
        attributes["aria-invalid"] = "true"
        described.append(f"{field.id_for_label}_error")
    if described:
        attributes["aria-describedby"] = " ".join(described)
    return field.as_widget(attrs=attributes)


@register.filter
def words(name: str) -> str:
    """A name of the machine in words: ``lease.granted`` is written ``lease granted``."""
    return name.replace(".", " ").replace("_", " ")


@register.filter
def thing(model: str) -> str:
    """A kind of object in words: ``submissions.submission`` is written ``submission``."""
    return _names().get(model) or model.rpartition(".")[2]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {model._meta.label_lower: str(model._meta.verbose_name) for model in apps.get_models()}


@register.filter
def fact(value: Any) -> str:
    """A value of a record as text; long ones are cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_FACT else f"{text[: LONGEST_FACT - 1]}…"


@register.filter
def permission(rule: str) -> str:
    """Whether somebody may: ``yes``, ``own`` or a dash."""
    return WORDS[rule]
