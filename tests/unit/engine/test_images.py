"""Names of images, and what a build is given. Nothing is built here."""

from __future__ import annotations

import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from practicum.engine import context, images

MACHINE_WHEEL = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_{machine}.whl"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository with a workspace image in it."""
    for name, text in {
        "images/workspace/Dockerfile": "ARG BASE_IMAGE=some/base:1\nFROM ${BASE_IMAGE}\n",
        "images/workspace/torch.txt": "torch==2.13.0\n",
        "images/base/base.toml": 'python = "3.11"\n',
        "hub/practicum_hub/workspace/cli.py": "print()\n",
        "hub/practicum_hub/workspace/__pycache__/cli.pyc": "bytes",
        **dict.fromkeys(images.SHARED, "shared\n"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    return tmp_path


def name_of(**arguments: str) -> str:
    """The digest under which the workspace image would be built."""
    builder = images.Builder(client=None)  # type: ignore[arg-type]
    return builder.digest(images.WORKSPACE, arguments={"BASE_IMAGE": "some/base:1", **arguments})


def append(name: str) -> Callable[[Path], Any]:
    """A change of one file."""
    return lambda root: (root / name).write_text((root / name).read_text() + "# more\n")


@pytest.mark.parametrize(
    ("change", "is_renamed"),
    [
        (append("images/workspace/Dockerfile"), True),
        (append("images/workspace/torch.txt"), True),
        (append("images/install-packages"), True),
        (append("hub/practicum_hub/workspace/cli.py"), True),
        (append("hub/practicum_hub/workspace/__pycache__/cli.pyc"), False),
        (append("images/base/base.toml"), False),  # it names the base, which is an argument
    ],
)
def test_an_image_is_named_by_what_goes_in(change: Callable[[Path], Any], is_renamed: bool, checkout: Path) -> None:
    before = name_of()
    change(checkout)
    assert (name_of() != before) is is_renamed


@pytest.mark.parametrize("name", [".env", ".env.local", "x.pyc", ".git/config", "var/key"])
def test_what_a_checkout_gathers_neither_goes_in_nor_renames_it(name: str, checkout: Path) -> None:
    before, file = name_of(), checkout / "hub/practicum_hub/workspace" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("secret")
    assert name_of() == before
    with context.build_context(checkout, inputs=["hub"]) as stream, tarfile.open(fileobj=stream) as tar:
        assert not [entry for entry in tar.getnames() if entry.endswith(name)]


@pytest.mark.parametrize("variable", images.INDEX_VARIABLES)
def test_an_index_with_a_token_in_its_address_is_refused_for_it_would_stay_in_the_image(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = images.Builder(client=None)  # type: ignore[arg-type]
    monkeypatch.setenv(variable, "https://packages.example.org/simple")
    assert builder.network_arguments()[variable] == "https://packages.example.org/simple"
    monkeypatch.setenv(variable, "https://me:planted-token@packages.example.org/simple")
    with pytest.raises(images.BuildError, match="must hold no password or token") as refusal:
        builder.network_arguments()
    assert "planted-token" not in str(refusal.value)


def test_another_base_or_torch_is_another_image(checkout: Path) -> None:
    names = {name_of(), name_of(BASE_IMAGE="other/base:1"), name_of(TORCH_BACKEND="cpu"), name_of(wheel="torch.whl")}
    assert len(names) == 4


def test_the_default_base_is_read_from_the_dockerfile(checkout: Path) -> None:
    assert images.WORKSPACE.default_base == "some/base:1"


@pytest.mark.parametrize(
    ("wheel", "python", "is_taken"),
    [
        (MACHINE_WHEEL, "3.11", True),
        (MACHINE_WHEEL, "3.12", False),
        (MACHINE_WHEEL, "", False),
        (MACHINE_WHEEL.replace("2.13.0", "2.12.0"), "3.11", False),
        (MACHINE_WHEEL.replace("+cpu", "+cu130"), "3.11", False),
        (MACHINE_WHEEL.replace("{machine}", "s390x"), "3.11", False),
        ("numpy-2.4.6-cp311-cp311-manylinux_2_28_{machine}.whl", "3.11", False),
    ],
)
def test_only_the_locked_cpu_torch_for_this_machine_is_taken(
    wheel: str, python: str, is_taken: bool, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uname = type("Uname", (), {"machine": "x86_64"})
    monkeypatch.setattr(context.os, "uname", uname)
    name = wheel.format(machine="x86_64")
    found = context.torch_wheel(checkout / "images/workspace/torch.txt", python=python, wheels=[name])
    assert found == (name if is_taken else "")


def test_wheels_are_found_where_pip_is_told_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.whl").touch()
    (tmp_path / "a.tar.gz").touch()
    monkeypatch.setenv("PIP_FIND_LINKS", f"file://{tmp_path} {tmp_path}/missing")
    assert context.local_wheels() == {"a.whl": tmp_path / "a.whl"}


def test_a_context_holds_the_inputs_without_owners_times_or_caches(checkout: Path) -> None:
    with (
        context.build_context(checkout, inputs=["hub/practicum_hub/workspace"]) as stream,
        tarfile.open(fileobj=stream) as tar,
    ):
        members = tar.getmembers()
    assert {m.name for m in members if m.isfile()} == {"hub/practicum_hub/workspace/cli.py"}
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members} == {(0, 0, "", 0)}


def test_only_what_is_offered_can_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "a+b.whl").write_bytes(b"wheel")
    (tmp_path / "secret").write_bytes(b"no")
    with context.offered({"a+b.whl": tmp_path / "a+b.whl"}, address="127.0.0.1") as url:
        assert urllib.request.urlopen(f"{url}/").read() == b'<a href="a%2Bb.whl">a+b.whl</a>\n'
        assert urllib.request.urlopen(f"{url}/a%2Bb.whl").read() == b"wheel"
        for path in ("secret", "../secret", "%2e%2e/secret", str(tmp_path / "secret")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{url}/{path}")
            assert refused.value.code == 404
            refused.value.close()


def test_an_address_that_is_not_ours_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.whl").touch()
    with context.offered({"a.whl": tmp_path / "a.whl"}, address="203.0.113.7") as url:
        assert url == ""
