"""Reading JSON that others send: an object of bounded size whose fields have the types we say, or a refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from practicum.errors import Invalid, TooLarge
from practicum.lib.sent_fields import note_known, note_sent


class Payload:
    """One JSON object. Each reader names a field and refuses what it was not told; fields nobody reads don't matter, and are
    noted (``lib/sent_fields.py``), those of an object ``under`` another too.
    """

    def __init__(self, fields: Mapping[str, Any], *, under: str = "") -> None:
        self._fields, self._under = fields, under
        note_sent(f"{under}{name}" for name in fields)

    def _value(self, name: str, default: Any = None) -> Any:
        note_known(f"{self._under}{name}")
        return self._fields.get(name, default)

    @classmethod
    def parse(cls, body: bytes, *, max_bytes: int) -> Payload:
        """The object in ``body``.

        Raises:
            TooLarge: more than ``max_bytes``.
            Invalid: no JSON, or no object.
        """
        if len(body) > max_bytes:
            raise TooLarge(f"The request is larger than {max_bytes} bytes.")
        try:
            fields = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as fault:
            raise Invalid("The request is not JSON.") from fault
        return cls.of(fields)

    @classmethod
    def of(cls, value: Any, *, under: str = "") -> Payload:
        """``value``, which must be an object."""
        if not isinstance(value, dict):
            raise Invalid("A JSON object is expected.")
        return cls(value, under=under)

    def _inner(self, name: str, value: Any) -> Payload:
        return Payload.of(value, under=f"{self._under}{name}.")

    def text(self, name: str, *, max_length: int, default: str | None = None) -> str:
        """A string of at most ``max_length`` characters, none of them a null."""
        value = self._value(name, default)
        if not isinstance(value, str) or len(value) > max_length or "\0" in value:
            raise Invalid(f"'{name}' must be a text of at most {max_length} characters.", field=name)
        return value

    def integer(self, name: str, *, minimum: int = 0, maximum: int) -> int:
        """A whole number between the two."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise Invalid(f"'{name}' must be a whole number from {minimum} to {maximum}.", field=name)
        return value

    def number(self, name: str, *, minimum: float = 0.0, maximum: float) -> float:
        """A number between the two."""
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
            raise Invalid(f"'{name}' must be a number from {minimum:g} to {maximum:g}.", field=name)
        return float(value)

    def number_or_none(self, name: str, *, minimum: float = 0.0, maximum: float) -> float | None:
        """A number between the two, or null."""
        return None if self._value(name) is None else self.number(name, minimum=minimum, maximum=maximum)

    def moment_or_none(self, name: str) -> datetime | None:
        """A moment in ISO 8601 with its zone, or null."""
        value = self._value(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo is not None else _refuse_moment(name)
        except (TypeError, ValueError, OverflowError):
            return _refuse_moment(name)

    def entry_or_none(self, name: str) -> Payload | None:
        """An object, or null."""
        value = self._value(name)
        return None if value is None else self._inner(name, value)

    def objects(self, name: str, *, at_most: int) -> list[Payload]:
        """A list of objects."""
        value = self._value(name)
        if not isinstance(value, list) or len(value) > at_most:
            raise Invalid(f"'{name}' must be a list of at most {at_most}.", field=name)
        return [self._inner(name, entry) for entry in value]

    def objects_or_none(self, name: str, *, at_most: int) -> list[Payload] | None:
        """A list of objects, or null."""
        return None if self._value(name) is None else self.objects(name, at_most=at_most)

    def texts(self, name: str, *, at_most: int, max_length: int) -> dict[str, str]:
        """An object that maps texts to texts."""
        entries = self._inner(name, self._value(name, {}))
        keys = list(entries._fields)
        if len(keys) > at_most or any(len(key) > max_length for key in keys):
            raise Invalid(f"'{name}' must have at most {at_most} short keys.", field=name)
        return {key: entries.text(key, max_length=max_length) for key in keys}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse_moment(name: str) -> NoReturn:
    raise Invalid(f"'{name}' must be a moment in ISO 8601 with its zone.", field=name)
