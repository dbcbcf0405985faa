"""What is said to the operator, and what is asked."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
import time
from typing import IO, Callable, Optional, Sequence, Union

LAST_LINES = 15
# Compose 1.29 gives the engine 60 s for each answer, which a busy disk takes for a container of a large image.
PATIENCE = {"COMPOSE_HTTP_TIMEOUT": "900"}


class Stop(Exception):
    """It can't go on; the message says what to do."""


class Failed(Stop):
    """A program ended with an error; the message has the end of what it said."""


def say(text: str, *, since: Optional[float] = None) -> None:
    """A line of progress, with the seconds it took."""
    took = f" ({time.monotonic() - since:.1f} s)" if since is not None else ""
    print(f"  {text}{took}", flush=True)


def headline(text: str) -> None:
    """What comes now."""
    print(f"\n{text}", flush=True)


def ask(
    question: str, *, default: str = "", check: Optional[Callable[[str], str]] = None, is_hidden: bool = False
) -> str:
    """What the operator types, which is not shown if ``is_hidden``; ``check`` says what is wrong with it, or nothing.

    Raises:
        Stop: there is nobody to ask.
    """
    while True:
        try:
            shown = f"  {question}{f' [{default}]' if default else ''}: "
            said = (getpass.getpass(shown) if is_hidden else input(shown)).strip() or default
        except EOFError:
            raise Stop(
                "Nobody answers: give what is asked as options or in a file (--answers), and add --yes."
            ) from None
        fault = check(said) if check else ""
        if not fault:
            return said
        print(f"  {fault}", flush=True)


def confirmed(question: str) -> bool:
    """The operator says yes."""
    return ask(f"{question} (yes/no)", default="no").lower() in ("y", "yes")


def run(
    command: Sequence[str],
    *,
    what: str,
    cwd: Optional[str] = None,
    input_file: Optional[IO[bytes]] = None,
    output_file: Optional[IO[bytes]] = None,
    timeout: float = 3600,
) -> str:
    """What the program printed, or an empty string where that goes to a file.

    Raises:
        Failed: it could not be started, failed, or took longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            list(command), cwd=cwd, stdin=input_file or subprocess.DEVNULL, stdout=output_file or subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=timeout, check=False, env={**PATIENCE, **os.environ},
        )  # fmt: skip
    except FileNotFoundError:
        raise Failed(f"{what} failed: the program {command[0]} is missing.") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{what} took longer than {timeout:.0f} s: {shlex.join(command)}") from None
    if done.returncode:
        raise Failed(f"{what} failed:\n{last_lines((done.stdout or b'') + done.stderr)}")
    return (done.stdout or b"").decode(errors="replace")


def last_lines(said: Union[str, bytes]) -> str:
    """The end of what a program said."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-LAST_LINES:])


def refuse(message: Union[str, Stop]) -> int:
    """Say why it can't go on; the exit code."""
    print(f"\n{message}", file=sys.stderr, flush=True)
    return 1
