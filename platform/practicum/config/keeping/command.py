"""What ``practicum backup`` and ``practicum restore`` have in common: how they tell people, programs and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from practicum.errors import PracticumError


class KeepingCommand(BaseCommand):
    """Lines for people while it works, or one object for programs at the end."""

    is_json = False

    @contextmanager
    def refusing(self, *, is_json: bool) -> Iterator[None]:
        """What is refused, or fails, is one message and an exit code.

        Raises:
            CommandError: something was.
        """
        self.is_json = is_json
        try:
            yield
        except PracticumError as refusal:
            raise CommandError(str(refusal), returncode=getattr(refusal, "exit_code", 1)) from refusal
        except DatabaseError as fault:
            raise CommandError(f"The database refused: {str(fault).strip()}") from fault
        except OSError as fault:
            raise CommandError(f"A file can't be read or written: {fault}") from fault

    def say(self, line: str) -> None:
        """A line for people."""
        if not self.is_json:
            self.stdout.write(line)
            self.stdout.flush()

    def tell(self, facts: dict[str, Any]) -> None:
        """The object for programs."""
        if self.is_json:
            self.stdout.write(json.dumps(facts, indent=2))
