"""The machine itself: Python and packages, disk, clock, NVIDIA's toolkit and device specifications."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from practicum.config.doctor import findings as rules
from practicum.config.doctor.findings import Finding, State, of_version, ok, to_mend

GIGABYTE = 10**9
LEAST_FREE_BYTES = 10 * GIGABYTE
LEAST_FREE_SHARE = 0.1
SECONDS = 10
CDI_FOLDERS = (Path("/etc/cdi"), Path("/var/run/cdi"))
# ntp_adjtime(2): what it answers where the clock is not kept in step, and where its error stands in struct timex.
CLOCK_IS_OFF = 5
TIMEX_BYTES, MAX_ERROR_AT = 256, 24


def programs(
    *, floors: Mapping[str, str] = rules.PACKAGES, version_of: Callable[[str], str] = metadata.version
) -> list[Finding]:
    """Python and the packages that stand on guard."""
    upgrade = "Install this release's lock file again: uv pip sync requirements/site.txt"
    found = [of_version("Python", platform.python_version(), floor=rules.PYTHON, mend="Install Python 3.11 or newer.")]
    for name, floor in floors.items():
        try:
            version = version_of(name)
        except metadata.PackageNotFoundError:
            version = ""
        found.append(of_version(name, version, floor=floor, mend=upgrade))
    return found


def disks(
    folders: Iterable[tuple[str, Path]], *, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage
) -> list[Finding]:
    """Room on the disks that these folders are on."""
    return [_disk(f"disk of {name}", folder, usage=usage) for name, folder in folders]


def _disk(name: str, folder: Path, *, usage: Callable[[Path], tuple[int, int, int]]) -> Finding:
    # A folder behind one that only root enters can't even be asked for.
    if not os.path.isdir(folder):  # noqa: PTH112
        return Finding(name, State.UNSEEN, f"{folder} is not there, or not to be seen from here")
    total, _, free = usage(folder)
    said = f"{free / GIGABYTE:.0f} of {total / GIGABYTE:.0f} GB free"
    if free < LEAST_FREE_BYTES or free < LEAST_FREE_SHARE * total:
        least = f"keep a tenth and {LEAST_FREE_BYTES // GIGABYTE} GB free"
        return to_mend(name, f"{said}; {least}", f"docker system prune\ndu -xh --max-depth=2 {folder} | sort -h | tail")
    return ok(name, said)


def clock(*, adjtime: Callable[[], tuple[int, int]] | None = None) -> list[Finding]:
    """The kernel's clock is kept in step: sign-in tokens, leases and certificates of sites go by it."""
    try:
        answer, error_us = (adjtime or _adjtime)()
    except OSError:
        return [Finding("clock", State.UNSEEN, "the kernel does not tell whether it is in step")]
    if answer == CLOCK_IS_OFF:
        mend = "timedatectl set-ntp true\n(or: apt-get install chrony)"
        return [to_mend("clock", "nothing keeps it in step", mend)]
    return [ok("clock", f"in step, within {error_us / 1000:.0f} ms")]


def _adjtime() -> tuple[int, int]:
    """The state of the clock and its greatest error in microseconds; the clock is left as it is."""
    timex = (ctypes.c_byte * TIMEX_BYTES)()
    answer = ctypes.CDLL(None, use_errno=True).ntp_adjtime(timex)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "ntp_adjtime")
    return answer, ctypes.c_long.from_buffer(timex, MAX_ERROR_AT).value


def toolkit(
    *, find: Callable[[str], str | None] = shutil.which, run: Callable[[list[str]], str] | None = None
) -> list[Finding]:
    """NVIDIA's container toolkit, where it can be asked."""
    program = find("nvidia-ctk")
    if program is None:
        said = "nvidia-ctk is not to be seen from here: ask it on the host, nvidia-ctk --version"
        return [Finding("NVIDIA container toolkit", State.UNSEEN, said)]
    words = (run or _output)([program, "--version"]).split()
    version = next((word for word in words if rules.numbers(word)), "")
    mend = "apt-get install --only-upgrade nvidia-container-toolkit\nsystemctl restart docker"
    return [of_version("NVIDIA container toolkit", version, floor=rules.TOOLKIT, mend=mend)]


def specifications(*, has_gpus: bool, folders: Iterable[Path] = CDI_FOLDERS) -> list[Finding]:
    """The files by which an engine finds devices by name (CDI), where this machine has GPUs."""
    if not has_gpus:
        return []
    files = [file for folder in folders for file in folder.glob("nvidia*")]
    if not files:
        said = "no specification of NVIDIA's devices; GPUs are given through NVIDIA's runtime"
        return [Finding("CDI", State.LOOK, said, "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml")]
    return [ok("CDI", ", ".join(str(file) for file in files))]


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
