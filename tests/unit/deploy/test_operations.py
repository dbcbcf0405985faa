"""``deploy/install``, ``bundle``, ``upgrade``: what they decide, without an engine. With one: ``tests/e2e/test_compose.py``."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.conftest import DEPLOY, Docker

from operations import answers, bundling, envfile, installing, machine, pictures, stack, upgrading  # type: ignore[import-not-found]  # isort: skip
from operations.telling import Stop  # type: ignore[import-not-found]  # isort: skip

MODULES = sorted((DEPLOY / "operations").glob("*.py"))
TEMPLATE = DEPLOY / "env.example"
LEAST = {
    "site_host": "practicum.example.org",
    "tls_email": "ops@example.org",
    "admin": "ada",
    "admin_email": "ada@example.org",
    "admin_name": "Ada Okafor",
}
PROGRAMS = [DEPLOY / name for name in ("install", "bundle", "operate")]


@pytest.mark.parametrize("file", [*MODULES, *PROGRAMS], ids=lambda file: file.name)
def test_it_runs_on_python_3_9_with_its_own_library_alone(file: Path) -> None:
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    foreign = {str(name).split(".")[0] for name in names} - sys.stdlib_module_names - {"operations"}
    assert foreign == set()
    assert not names & {"tomllib", "graphlib"}
    calls = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in ("strict", "slots")
    }
    assert not calls


@pytest.mark.parametrize("program", PROGRAMS[:2], ids=lambda file: file.name)
def test_each_program_says_how_it_is_used(program: Path) -> None:
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
    assert "usage: deploy/" in done.stdout


class TestEnvFile:
    def test_it_is_for_its_owner_alone_and_keeps_the_templates_comments(self, tmp_path: Path) -> None:
        file = tmp_path / ".env"
        envfile.write(file, {"SITE_HOST": "a.example.org", "NEW": "1"}, template=TEMPLATE)
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert "SITE_HOST=a.example.org\n" in text
        assert text.splitlines()[0] == TEMPLATE.read_text().splitlines()[0]
        assert text.endswith("NEW=1\n")

    @pytest.mark.parametrize("value", ["plain", "two words", "a#b", "a$b", 'a"b', "back\\slash", ""])
    def test_a_value_comes_back_as_it_was(self, value: str, tmp_path: Path) -> None:
        envfile.write(tmp_path / ".env", {"PRACTICUM_EMAIL_PASSWORD": value}, template=TEMPLATE)
        assert envfile.read(tmp_path / ".env")["PRACTICUM_EMAIL_PASSWORD"] == value

    def test_secrets_are_made_once(self) -> None:
        first = envfile.filled({}, template=TEMPLATE)
        again = envfile.filled(first, template=TEMPLATE)
        assert {name: again[name] for name in envfile.SECRETS} == {name: first[name] for name in envfile.SECRETS}
        assert len({first[name] for name in envfile.SECRETS}) == len(envfile.SECRETS)
        assert all(len(first[name]) == 64 for name in envfile.SECRETS)

    def test_every_secret_of_the_template_is_made(self) -> None:
        blank = {name for name, value in envfile.read(TEMPLATE).items() if not value}
        optional = {"PRACTICUM_METRICS_TOKEN", "PRACTICUM_EMAIL_PASSWORD"}
        secret = {name for name in blank if any(word in name for word in installing.SECRET_WORDS)} - optional
        assert secret == set(envfile.SECRETS)

    def test_a_file_that_can_not_be_written_leaves_the_old_one(self, tmp_path: Path) -> None:
        file = tmp_path / ".env"
        file.write_text("SITE_HOST=old\n")
        with pytest.raises(ValueError, match="line break"):
            envfile.write(file, {"SITE_HOST": "two\nlines"}, template=TEMPLATE)
        assert file.read_text() == "SITE_HOST=old\n"
        assert [path.name for path in tmp_path.glob(".*")] == [".env"]


class TestAnswers:
    def answered(self, **more: str) -> dict[str, str]:
        said: dict[str, str] = answers.answered({**LEAST, **more}, earlier={}, is_asked=False)
        return said

    def test_the_least_is_enough(self) -> None:
        said = self.answered()
        assert (said["hub_host"], said["tls"], said["data_dir"]) == (
            "hub.practicum.example.org",
            "acme",
            "/var/lib/practicum",
        )
        assert answers.as_settings(said)["PRACTICUM_HUB_SUBDOMAINS"] == ""

    def test_everything_that_is_missing_or_wrong_is_told_at_once(self) -> None:
        with pytest.raises(Stop) as stop:
            answers.answered({"site_host": "nodots", "tls": "magic"}, earlier={}, is_asked=False)
        for option in ("--site-host", "--tls", "--admin ", "--admin-email", "--admin-name"):
            assert option in f"{stop.value} "

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("site_host", "https://practicum.example.org"),
            ("hub_host", "practicum.example.org"),
            ("data_dir", "/"),
            ("data_dir", "/etc"),
            ("data_dir", "var/practicum"),
            ("data_dir", "/srv/with space"),
            ("server_name", "GPU 1"),
            ("admin", "Ada"),
            ("admin_email", "ada"),
            ("cpu_slots", "many"),
        ],
    )
    def test_what_can_not_be_used_is_refused(self, name: str, value: str) -> None:
        with pytest.raises(Stop, match=name.replace("_", "-")):
            self.answered(**{name: value})

    def test_subdomains_bring_the_wildcard(self) -> None:
        settings = answers.as_settings(self.answered(tls="internal"))
        assert (settings["PRACTICUM_HUB_SUBDOMAINS"], settings["HUB_WILDCARD"]) == ("1", "*.hub.practicum.example.org")

    def test_a_later_run_keeps_what_was_said_and_asks_for_no_admin(self) -> None:
        first = answers.as_settings(self.answered(cpu_slots="7"))
        later = answers.answered({}, earlier=answers.kept(first), is_asked=False, without=answers.ADMIN)
        assert answers.as_settings(later) == first

    def test_questions_are_asked_until_the_answer_can_be_used(self, typed: Callable[..., None]) -> None:
        typed("nodots", "practicum.example.org", "", "internal", *[""] * 6, "ada", "ada@example.org", "Ada")
        said = answers.answered({"gpus": "no"}, earlier={}, is_asked=True)
        assert (said["site_host"], said["tls"], said["admin"]) == ("practicum.example.org", "internal", "ada")

    def test_an_answers_file_with_a_line_that_answers_nothing_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "answers"
        file.write_text("# mine\nSITE_HOST=practicum.example.org\nSITE_NAME=x\n")
        with pytest.raises(Stop, match="SITE_NAME"):
            answers.from_file(file)


class TestMachine:
    SETTINGS = {"SITE_HOST": "a.invalid", "HUB_HOST": "b.invalid", "TLS_MODE": "acme", "DATA_DIR": "/tmp"}

    def test_a_taken_port_is_named_with_what_finds_its_program(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            where = {"HTTP_LISTEN": "127.0.0.1:0", "HTTPS_LISTEN": f"127.0.0.1:{port}"}
            states = {each.name: each for each in machine.ports(where)}
        assert states[f"port {port}"].state == machine.MEND
        assert f"sport = :{port}" in states[f"port {port}"].mend

    @pytest.mark.parametrize(("mode", "state"), [("acme", machine.MEND), ("internal", machine.LOOK)])
    def test_an_unknown_name_stops_only_who_needs_it_public(
        self, mode: str, state: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine, "address_of", lambda _name: "")
        found = machine.names({**self.SETTINGS, "TLS_MODE": mode, "PRACTICUM_HUB_SUBDOMAINS": "1"})
        assert [each.state for each in found] == [state] * 3
        assert "*.b.invalid" in found[2].name

    def test_a_public_authority_gives_no_wildcard(self) -> None:
        (found,) = machine.certificate({**self.SETTINGS, "PRACTICUM_HUB_SUBDOMAINS": "1"})
        assert (found.state, "--tls files" in found.mend) == (machine.MEND, True)
        assert machine.certificate(self.SETTINGS) == []

    def test_no_engine_is_told_with_what_starts_it(self, docker: Docker) -> None:
        assert machine.engine().state == machine.MEND
        docker.tell({"version": "20.10.24"})
        assert machine.engine().state == machine.LOOK
        docker.tell({"version": "29.8.0"})
        assert machine.engine().state == machine.OK
        docker.tell({"version": "19.3.1"})
        assert machine.engine().state == machine.MEND

    def test_without_compose_it_says_what_to_install(self, docker: Docker) -> None:
        found = machine.compose()
        assert (found.state, "docker-compose" in found.mend) == (machine.MEND, True)
        docker.tell({"compose version --short": "2.40.1"})
        assert machine.compose().said == "docker compose"


class TestImages:
    def test_a_pulled_image_is_pinned_to_its_digest(self, docker: Docker) -> None:
        digest = "postgres@sha256:" + "a" * 64
        docker.tell(
            {
                "image inspect --format {{json .RepoDigests}} postgres:17.6-bookworm": json.dumps([digest]),
                "pull -q postgres": "",
            }
        )
        assert pictures.pinned("postgres:17.6-bookworm") == digest
        assert "pull -q postgres:17.6-bookworm" in docker.asked

    def test_one_that_can_not_be_pulled_leads_to_the_bundle(self, docker: Docker) -> None:
        with pytest.raises(Stop, match="deploy/install --bundle"):
            pictures.pinned("postgres:17.6-bookworm")

    def test_images_are_built_from_the_checkout_and_from_the_sites_own_image(
        self, docker: Docker, tmp_path: Path
    ) -> None:
        for name in pictures.SITE_INPUTS:
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(name)
        site = f"practicum/site:1-{pictures.digest_of(tmp_path / 'root')}"
        docker.tell({
            "image inspect --format": "[]", "image inspect postgres": "", "image inspect caddy": "",
            "build -q -f images/site/Dockerfile": "",
            "run --rm": "x\n" + json.dumps({name: f"practicum/{name}:1" for name in ("workspace", "scorer", "egress")}),
        })  # fmt: skip
        (tmp_path / "docker.sock").touch()
        settings = pictures.built(tmp_path / "root", version="1", socket=str(tmp_path / "docker.sock"), has_gpus=True)
        assert settings["SITE_IMAGE"] == site
        assert settings["PRACTICUM_SCORER_IMAGE"] == "practicum/scorer:1"
        assert any(
            call.startswith("run --rm") and call.endswith("practicum.engine.images --egress --torch cuda")
            for call in docker.asked
        )


class TestBundle:
    NAMED = {name: f"practicum/{name}:1" for name in pictures.SETTINGS}

    @pytest.fixture
    def bundle(self, docker: Docker, tmp_path: Path) -> Path:
        """One of stand-in images."""
        docker.tell({"image inspect --format": "[]", "image inspect": "", "save": "", "load": ""})
        file = tmp_path / "practicum-1.tar"
        bundling.make(self.NAMED, deploy=DEPLOY, output=file, version="1")
        return file

    def test_it_holds_what_a_server_needs_and_nothing_of_a_servers_own(self, bundle: Path, tmp_path: Path) -> None:
        opened = bundling.opened(bundle, folder=tmp_path / "out", sha256=bundling.sha256_of(bundle))
        assert (opened.version, opened.images) == ("1", self.NAMED)
        assert (opened.deploy / "install").stat().st_mode & 0o111
        assert (opened.deploy / "compose.yaml").read_bytes() == (DEPLOY / "compose.yaml").read_bytes()
        assert not (opened.deploy / ".env").exists()
        assert opened.load()["SITE_IMAGE"] == "practicum/site:1"

    def test_another_sha256_is_refused(self, bundle: Path, tmp_path: Path) -> None:
        with pytest.raises(Stop, match="not the bundle that was asked for"):
            bundling.opened(bundle, folder=tmp_path / "out", sha256="0" * 64)

    @pytest.mark.slow
    @pytest.mark.parametrize("harm", ["changed", "added", "removed", "outside", "link"])
    def test_a_damaged_one_is_refused(self, harm: str, bundle: Path, tmp_path: Path) -> None:
        bad = tmp_path / "bad.tar"
        with tarfile.open(bundle) as source, tarfile.open(bad, "w") as target:
            for member in source:
                content = source.extractfile(member) if member.isreg() else None
                if harm == "removed" and member.name == "deploy/compose.yaml":
                    continue
                if harm == "changed" and member.name == "deploy/compose.yaml":
                    member.size -= 1
                target.addfile(member, content)
            extra = tarfile.TarInfo(
                {"added": "deploy/more", "outside": "../more", "link": "deploy/link"}.get(harm, "deploy")
            )
            if harm == "link":
                extra.type, extra.linkname = tarfile.SYMTYPE, "/etc/passwd"
            if harm in ("added", "outside", "link"):
                target.addfile(extra)
        with pytest.raises(Stop, match=r"damaged|can't be read"):
            bundling.opened(bad, folder=tmp_path / "out")
        assert not (tmp_path / "more").exists()

    def test_no_bundle_at_all_is_told_so(self, tmp_path: Path) -> None:
        (tmp_path / "x.tar").write_text("this is none")
        with pytest.raises(Stop, match="can't be read as a bundle"):
            bundling.opened(tmp_path / "x.tar", folder=tmp_path / "out")

    def test_one_without_images_needs_them_on_the_engine(self, bundle: Path, docker: Docker, tmp_path: Path) -> None:
        opened = bundling.opened(bundle, folder=tmp_path / "out")
        (opened.folder / bundling.IMAGES).unlink()
        docker.tell({})
        with pytest.raises(Stop, match="not on the engine"):
            opened.load()


class TestUpgrade:
    def test_files_become_those_of_the_version_and_the_servers_own_stay(self, tmp_path: Path) -> None:
        new, there = tmp_path / "new", tmp_path / "deploy"
        for file, text in {"compose.yaml": "new", "operations/added.py": "new", ".env": "of another"}.items():
            (new / file).parent.mkdir(parents=True, exist_ok=True)
            (new / file).write_text(text)
        for file in ("compose.yaml", "operations/gone.py", "compose.override.yaml", ".env", ".lock"):
            (there / file).parent.mkdir(parents=True, exist_ok=True)
            (there / file).write_text("old")
        upgrading.put_files(new, there)
        found = {str(p.relative_to(there)): p.read_text() for p in there.rglob("*") if p.is_file()}
        kept = dict.fromkeys((".env", ".lock", "compose.override.yaml"), "old")
        assert found == {"compose.yaml": "new", "operations/added.py": "new", **kept}

    def test_two_changes_at_once_are_refused(self, tmp_path: Path) -> None:
        with installing.alone(tmp_path), pytest.raises(Stop, match="wait for its end"), installing.alone(tmp_path):
            pass

    def test_without_an_installation_there_is_nothing_to_upgrade(
        self, tmp_path: Path, docker: Docker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        docker.tell({"compose version --short": "2.40.1"})
        assert upgrading.main(["rollback", "--yes"], deploy=tmp_path) == 1
        assert "deploy/install does it" in capsys.readouterr().err

    def test_an_unknown_version_says_how_to_get_it(self, tmp_path: Path) -> None:
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        with pytest.raises(Stop, match="fetch --tags"):
            upgrading.release_from_git("v9", deploy=tmp_path / "deploy", folder=tmp_path, settings={})


class TestInstall:
    def install(self, tmp_path: Path, docker: Docker, **options: Any) -> Any:
        docker.tell({"compose version --short": "2.40.1", "compose down": "", "version": "29.8.0", "info": "/"})
        parsed = installing.parsed(
            ["--yes", *(f"--{k.replace('_', '-')}={v}" for k, v in {**LEAST, **options}.items())]
        )
        for name in ("env.example", "compose.yaml"):
            (tmp_path / name).write_bytes((DEPLOY / name).read_bytes())
        return installing.Install(parsed, deploy=tmp_path)

    def test_what_is_to_be_mended_stops_it_before_anything_is_changed(
        self, tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(machine, "address_of", lambda _name: "")
        install = self.install(tmp_path, docker, data_dir=f"{tmp_path}/data")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(Stop, match="Nothing was changed"):
            install.decide()
        assert sorted(tmp_path.iterdir()) == before
        assert "JupyterHub advises against" in capsys.readouterr().out

    def test_stopped_before_the_start_nothing_runs(self, tmp_path: Path, docker: Docker) -> None:
        install = self.install(tmp_path, docker)
        assert "Nothing runs that did not before." in install.left("Stopped.")
        assert not [call for call in docker.asked if "down" in call]

    def test_a_first_start_that_is_stopped_is_taken_back(self, tmp_path: Path, docker: Docker) -> None:
        install = self.install(tmp_path, docker)
        install.has_started, install.stack = True, installing.Stack(tmp_path)
        assert "secrets and data are kept" in install.left("Stopped.")
        assert docker.asked[-1] == "compose down"

    def test_services_that_ran_before_are_left_running(self, tmp_path: Path, docker: Docker) -> None:
        install = self.install(tmp_path, docker)
        install.has_started, install.was_running, install.stack = True, True, installing.Stack(tmp_path)
        assert "left running" in install.left("Stopped.")
        assert "compose down" not in docker.asked


class TestPrefix:
    """Where the notebooks' network begins."""

    def test_the_first_that_meets_nothing_is_taken(self) -> None:
        assert machine.free_prefix([]) == "172.30"
        taken = [ip_network("172.30.0.0/16"), ip_network("172.29.3.0/24"), ip_network("172.28.16.0/20")]
        assert machine.free_prefix(taken) == "172.28"

    def test_where_all_are_taken_it_says_what_to_write(self) -> None:
        with pytest.raises(Stop, match=r"NOTEBOOK_PREFIX=10\.99"):
            machine.free_prefix([ip_network("0.0.0.0/0")])


class TestHealth:
    """What the site says of itself while it starts."""

    @pytest.fixture
    def answers(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker: Docker) -> Any:
        """``answers(status, body)``: what is wrong with a site that answers so; empty if nothing is."""
        docker.tell({"compose version --short": "2.29"})
        (tmp_path / ".env").write_text("SITE_HOST=practicum.test\n")

        def told(status: str, **body: Any) -> str:
            made = stack.Stack(tmp_path)
            answer = f"HTTP/1.0 {status}\r\n\r\n{json.dumps(body)}".encode()
            monkeypatch.setattr(made, "ask", lambda host, path: answer)
            return str(made.site_fault())

        return told

    def test_a_part_that_fails_does_not_keep_a_site_from_being_there(self, answers: Any) -> None:
        assert answers("200 OK", database="ok", worker=0.3) == ""
        assert answers("503 Service Unavailable", database="ok", worker=0.3, failing=["certificate"]) == ""

    def test_without_its_database_or_worker_it_is_not_there(self, answers: Any) -> None:
        assert answers("503 Service Unavailable", database="away", worker=0.3) == "the database does not answer it"
        assert answers("503 Service Unavailable", database="ok", worker=600.0) == "the worker has not been seen"
        assert answers("502 Bad Gateway") == "it does not answer (ValueError)"
