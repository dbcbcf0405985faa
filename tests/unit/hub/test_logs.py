"""Lines of hub, agent and proxy: whose they are, as one object, without secrets."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path

import pytest

from practicum_hub import logs
from practicum_hub.configure import configure
from tests.unit.hub.test_configure import DOCKER

ROOT = Path(__file__).resolve().parents[3]
SECRET = "5ecre7" * 6


def line(message: str, *args: object, error: Exception | None = None) -> dict[str, object]:
    """What a line becomes."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("practicum.hub", logging.WARNING, "", 0, message, args, info)
    logs.Ids().filter(record)
    said = logs.JsonFormatter().format(record)
    assert "\n" not in said
    return json.loads(said)  # type: ignore[no-any-return]


def test_a_line_has_the_ids_of_its_matter_and_no_empty_ones() -> None:
    with logs.belonging_to(user="ines", session="s-1", lease=""), logs.belonging_to(request="r-12345678"):
        said = line("it %s", "failed")
    assert (said["message"], said["level"], said["logger"]) == ("it failed", "warning", "practicum.hub")
    assert (said["user"], said["session"], said["request"]) == ("ines", "s-1", "r-12345678")
    assert "lease" not in said
    assert str(said["at"]).endswith("+00:00")
    assert logs.ids() == {}


SPOKEN = [
    f"GET http://site/o/token/?code={SECRET}&state={SECRET} failed",
    f"Authorization: Bearer {SECRET}",
    f"token {SECRET} is refused",
    f"Setting new xsrf cookie for b'{SECRET}:{SECRET}' {{'path': '/hub/'}}",
    f"redirecting to /user/ines/lab?token={SECRET}",
]


@pytest.mark.parametrize("said", SPOKEN)
def test_secrets_are_taken_out_of_what_libraries_say(said: str) -> None:
    assert SECRET not in json.dumps(line(said))
    assert SECRET not in json.dumps(line("%s", said))
    assert "[secret]" in str(line(said)["message"])


def test_secrets_are_taken_out_of_tracebacks() -> None:
    try:
        raise ValueError(f"GET http://site/x?code={SECRET}")
    except ValueError as error:
        said = line("it failed", error=error)
    assert SECRET not in json.dumps(said)
    assert "ValueError: GET http://site/x?code=[secret]" in str(said["exception"])


def test_what_is_no_secret_stays() -> None:
    message = "User ines took 1.5 s to start: basic checks of token scopes; /hub/home?"
    assert line(message)["message"] == message


@pytest.mark.parametrize(
    ("uri", "route"),
    [
        (f"/hub/oauth_callback?code={SECRET}", "/hub/oauth_callback"),
        (f"/hub/api/authorizations/token/{SECRET}", "/hub/api/authorizations/token/[secret]"),
        (f"/hub/api/authorizations/cookie/name/{SECRET}", "/hub/api/authorizations/cookie/name/[secret]"),
        ("/hub/api/users/ines/server", "/hub/api/users/ines/server"),
    ],
)
def test_a_request_is_told_by_its_path(uri: str, route: str) -> None:
    facts = logs.facts_of(method="GET", uri=uri, status=200, seconds=0.0123, user="ines", request_id="abcdefgh-1")
    assert facts == {
        "method": "GET", "route": route, "status": 200, "ms": 12.3, "request": "abcdefgh-1", "user": "ines",
    }  # fmt: skip


@pytest.mark.parametrize("given", ["", "short", "a b c d e f g h", "x" * 65, '"}{"a":"'])
def test_an_id_that_could_be_anything_else_is_not_told(given: str) -> None:
    facts = logs.facts_of(method="GET", uri="/", status=200, seconds=0, user="", request_id=given)
    assert not {"request", "user"} & set(facts)


@pytest.mark.parametrize(("style", "is_ours"), [("json", True), ("line", False), ("", False)])
def test_the_hub_writes_objects_where_asked(style: str, is_ours: bool) -> None:
    config = configure({**DOCKER, "PRACTICUM_LOG_FORMAT": style})["JupyterHub"]["logging_config"]
    assert ("formatters" in config) is is_ours
    assert config["handlers"]["console"]["filters"] == ["ids"]


def test_whoever_watches_has_a_token_of_their_own_that_reads_metrics_and_nothing_else() -> None:
    def granted(**variables: str) -> tuple[list[str], dict[str, list[str]]]:
        hub = configure({**DOCKER, **variables})["JupyterHub"]
        roles = {role["name"]: role for role in hub["load_roles"]}
        names = [service["name"] for service in hub["services"]]
        return names, {"scopes": roles["practicum-watch"]["scopes"], "services": roles["practicum-watch"]["services"]}

    assert granted() == (["practicum"], {"scopes": ["read:metrics"], "services": []})
    names, watch = granted(PRACTICUM_METRICS_TOKEN="m" * 32)
    assert (names, watch) == (["practicum", "prometheus"], {"scopes": ["read:metrics"], "services": ["prometheus"]})


PROXY = [
    (
        "2026-11-29T18:29:50.051Z [ConfigProxy] \x1b[32minfo\x1b[39m: 200 GET /user/ines/lab ",
        {"at": "2026-11-29T18:29:50.051Z", "level": "info",
         "method": "GET", "route": "/user/ines/lab", "status": 200, "user": "ines"},
    ),
    (
        "2026-11-29T18:29:50.051Z [ConfigProxy] \x1b[33mwarn\x1b[39m: REST API is not authenticated.",
        {"level": "warning", "message": "REST API is not authenticated."},
    ),
    (f"Error: connect to http://hub/x?code={SECRET}\n    at somewhere", {"level": "info"}),
]  # fmt: skip


def test_the_proxys_lines_are_objects() -> None:
    script = (
        "import {asJson} from './hub/proxy_log.mjs'; import fs from 'node:fs';"
        "for (const text of JSON.parse(fs.readFileSync(0))) console.log(asJson(text));"
    )
    command = ["node", "--input-type=module", "-e", script]
    sent = json.dumps([text for text, _ in PROXY])
    printed = subprocess.run(command, cwd=ROOT, input=sent, capture_output=True, text=True, check=True).stdout
    assert SECRET not in printed
    for text, (_, expected) in zip(printed.splitlines(), PROXY, strict=True):
        said = json.loads(text)
        assert said["logger"] == "proxy"
        assert {name: said[name] for name in expected} == expected
