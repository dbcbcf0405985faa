"""The six images a site runs: pulled and pinned to their digest, built from this checkout, or loaded from a bundle."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Dict, Iterator, Mapping

from operations.telling import Failed, Stop, run, say

# Name of an image: the setting that says which one it is.
SETTINGS = {
    "site": "SITE_IMAGE",
    "database": "DATABASE_IMAGE",
    "tls": "TLS_IMAGE",
    "workspace": "PRACTICUM_WORKSPACE_IMAGE",
    "scorer": "PRACTICUM_SCORER_IMAGE",
    "egress": "EGRESS_IMAGE",
}
OFFICIAL = {"database": "postgres:17.6-bookworm", "tls": "caddy:2.10.2"}
SITE_INPUTS = (
    "requirements/site.txt", "package.json", "package-lock.json", ".npmrc", "manage.py", "platform", "hub", "projects", "images",
)  # fmt: skip
BUILDER = "python -m practicum.engine.images --egress"


def is_here(image: str) -> bool:
    """The engine has it."""
    try:
        run(["docker", "image", "inspect", image], what="Looking for an image")
    except Failed:
        return False
    return True


def pinned(image: str) -> str:
    """``postgres@sha256:…`` for ``postgres:17.6``: pulled if it is not here, and from now on this very one.

    Raises:
        Stop: it can't be pulled.
    """
    began = time.monotonic()
    if not is_here(image):
        say(f"Pulling {image}")
        try:
            run(["docker", "pull", "-q", image], what=f"Pulling {image}")
        except Failed as fault:
            raise Stop(
                f"{fault}\nWithout a way to a registry, install from a bundle made elsewhere: deploy/install --bundle FILE."
            ) from fault
        say(f"{image} is here", since=began)
    if "@" in image:
        return image
    known = (
        json.loads(
            run(["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image], what="Reading a digest")
        )
        or []
    )
    return next((each for each in known if repository_of(each) == repository_of(image)), image)


def repository_of(image: str) -> str:
    """``docker.io/library/postgres`` for ``postgres:17.6`` and ``postgres@sha256:…``: in full, for engines shorten it or do
    not. Somebody else's ``example.org/postgres`` is another.
    """
    name = image.partition("@")[0]
    folder, _, last = name.rpartition("/")
    name = f"{folder}/{last.partition(':')[0]}" if folder else last.partition(":")[0]
    registry, _, rest = name.partition("/")
    if not rest:
        return f"docker.io/library/{name}"
    has_registry = "." in registry or ":" in registry or registry == "localhost"
    return name if has_registry else f"docker.io/{name}"


def given(named: Mapping[str, str]) -> Dict[str, str]:
    """The settings for images that are on the engine already.

    Raises:
        Stop: one is missing.
    """
    missing = [
        f"{name} ({named.get(name) or 'not named'})"
        for name in SETTINGS
        if not (named.get(name) and is_here(named[name]))
    ]
    if missing:
        raise Stop(f"These images are not on the engine: {', '.join(missing)}. Build them: make images SERVER=1")
    return {setting: pinned(named[name]) for name, setting in SETTINGS.items()}


def built(root: Path, *, version: str, socket: str, has_gpus: bool) -> Dict[str, str]:
    """The settings for images built from the checkout ``root``, and pulled where an official one is used.

    Raises:
        Stop: one can't be pulled or built.
    """
    settings = {SETTINGS[name]: pinned(image) for name, image in OFFICIAL.items()}
    site = f"practicum/site:{version}-{digest_of(root)}"
    if not is_here(site):
        began = time.monotonic()
        say(f"Building {site}")
        run(
            ["docker", "build", "-q", "-f", "images/site/Dockerfile", "-t", site, "."],
            what="Building the site's image",
            cwd=str(root),
        )
        say(f"{site} is built", since=began)
    began = time.monotonic()
    say("Building the images of notebooks, scorer and egress proxy; the first time this takes minutes")
    # What builds them lies in the site's image, with all that it builds them from.
    said = run(
        [
            "docker", "run", "--rm", "--network=host", f"--group-add={Path(socket).stat().st_gid}",
            f"--volume={socket}:/var/run/docker.sock", site, *BUILDER.split(), "--torch", "cuda" if has_gpus else "cpu",
        ],
        what="Building the images of notebooks, scorer and egress proxy",
    )  # fmt: skip
    tags = json.loads(said.strip().splitlines()[-1])
    say("The images of notebooks, scorer and egress proxy are there", since=began)
    return {
        **settings,
        "SITE_IMAGE": site,
        **{SETTINGS[name]: tags[name] for name in ("workspace", "scorer", "egress")},
    }


def digest_of(root: Path) -> str:
    """Of everything that goes into the site's image."""
    running = hashlib.sha256()
    for path in sorted(files_of(root)):
        running.update(f"{path.relative_to(root)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return running.hexdigest()[:12]


def files_of(root: Path) -> Iterator[Path]:
    """The files that go into it."""
    for name in SITE_INPUTS:
        path = root / name
        if not path.exists():
            raise Stop(
                f"{path} is missing: this is no checkout of Practicum. Install from a bundle: deploy/install --bundle FILE."
            )
        yield from (
            [path] if path.is_file() else (p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        )


def major_of_database(image: str) -> str:
    """``17``: which PostgreSQL an image has."""
    said = run(
        ["docker", "run", "--rm", "--entrypoint", "postgres", image, "--version"],
        what="Asking for PostgreSQL's version",
    )
    return said.split()[2].split(".")[0]
