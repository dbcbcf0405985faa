"""The admin's pages of servers: the list, a new one, and one server with its GPUs, leases and tokens."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from practicum import __version__
from practicum.accounts.access import PersonRequest, admins_only
from practicum.errors import Invalid, Refused
from practicum.gpus import inventory, selectors, servers, tokens
from practicum.gpus.models import Server, ServerState
from practicum.gpus.server_forms import DrainForm, ServerForm, SharesForm
from practicum.lib.clock import utc_now

UNUSABLE = 400
IMAGE = f"practicum/site:{__version__}"


def _sent(request: PersonRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


@admins_only
@require_GET
def server_list(request: PersonRequest) -> HttpResponse:
    """Every server: whether it is heard, what is wrong, what is held on it."""
    now = utc_now()
    rows = [_summary(server, now=now) for server in selectors.servers_with_slots()]
    return render(request, "gpus/servers.html", {"rows": rows})


@admins_only
@require_http_methods(["GET", "POST"])
@sensitive_variables("token")
def new_server(request: PersonRequest) -> HttpResponse:
    """Add a server; the answer shows the command to run there."""
    form = ServerForm(_sent(request))
    status = UNUSABLE if form.is_bound else 200
    if form.is_valid():
        try:
            server, token = servers.add_server(form.cleaned_data["name"], actor=request.user, now=utc_now())
        except Refused as refusal:
            form.add_error("name", refusal.message)
            status = refusal.status
        else:
            return _command_page(request, server=server, token=token, is_new=True)
    return render(request, "gpus/server_new.html", {"form": form}, status=status)


@admins_only
@require_GET
def server(request: PersonRequest, name: str) -> HttpResponse:
    """One server."""
    return _server_page(request, name, drain_form=DrainForm())


@admins_only
@require_POST
def server_state(request: PersonRequest, name: str) -> HttpResponse:
    """Drain a server, take it off, or put it back; ``finish`` and ``minutes`` say how it is drained."""
    state = request.POST.get("state", "")
    if state not in ServerState.values:
        raise Invalid("A server is online, draining or offline.")
    now, within = utc_now(), None
    if state == ServerState.DRAINING and "finish" in request.POST:
        form = DrainForm(request.POST)
        if not form.is_valid():
            return _server_page(request, name, drain_form=form, status=UNUSABLE)
        asked = form.cleaned_data["finish"] == "ask"
        within = timedelta(minutes=form.cleaned_data["minutes"]) if asked else None
    if state == ServerState.DRAINING:
        row = servers.drain_server(name, finish_within=within, actor=request.user, now=now)
    else:
        row = inventory.set_server_state(name, state=ServerState(state), actor=request.user, now=now)
    messages.success(request, f"{row.name} is {row.get_state_display().lower()} now.")
    return redirect("gpus:server", row.name)


@admins_only
@require_POST
def give_up(request: PersonRequest, name: str) -> HttpResponse:
    """End what a silent server holds; the admin has to say that the machine is off."""
    if request.POST.get("is_off") != "yes":
        raise Invalid("Say that the machine is off: only then may its leases be ended.")
    count = servers.give_up_server(name, actor=request.user, now=utc_now())
    messages.success(request, f"{name} is given up; {count} lease{'s' if count != 1 else ''} ended.")
    return redirect("gpus:server", name)


@admins_only
@require_POST
def shares(request: PersonRequest, name: str) -> HttpResponse:
    """Divide a GPU into shared slots, or put it together again."""
    form = SharesForm(request.POST)
    if not form.is_valid():
        raise Invalid("A GPU is divided into {} to {} shares.".format(*servers.SHARES))
    asked = form.cleaned_data
    servers.set_shares(name, gpu=asked["gpu"], shares=asked["shares"], actor=request.user, now=utc_now())
    is_whole = asked["shares"] == 1
    messages.success(
        request,
        "The GPU is one slot again." if is_whole else f"The GPU is {asked['shares']} slots now, no memory isolation.",
    )
    return redirect("gpus:server", name)


@admins_only
@require_POST
@sensitive_variables("token")
def new_token(request: PersonRequest, name: str) -> HttpResponse:
    """Make another token for a server's agent, and show the command with it."""
    row = selectors.server_named(name)
    token = tokens.make_token(row, actor=request.user, now=utc_now())
    return _command_page(request, server=row, token=token, is_new=False)


@admins_only
@require_POST
def revoke_token(request: PersonRequest, name: str, token_id: int) -> HttpResponse:
    """A token opens nothing any more."""
    row = selectors.server_named(name)
    tokens.revoke_token(row, token_id=token_id, actor=request.user, now=utc_now())
    messages.success(request, "The token is revoked. An agent that shows it is refused from now on.")
    return redirect("gpus:server", name)


def _server_page(request: PersonRequest, name: str, *, drain_form: DrainForm, status: int = 200) -> HttpResponse:
    row = selectors.server_named(name)
    facts = _summary(row, now=utc_now()) | {
        "leases": selectors.leases_on(row),
        "tokens": selectors.tokens_of(row),
        "drain_form": drain_form,
        "shares": range(servers.SHARES[0], servers.SHARES[1] + 1),
    }
    return render(request, "gpus/server.html", facts, status=status)


def _summary(row: Server, *, now: datetime) -> dict[str, Any]:
    gpus = selectors.gpus_of(row)
    slots = list(row.slots.all())
    return {
        "server": row,
        "is_silent": selectors.is_silent(row, now=now),
        "gpus": gpus,
        "cpu_slots": [slot for slot in slots if slot.kind == "cpu"],
        "faulty": [gpu for gpu in gpus if gpu.faults],
        "held": sum(bool(vars(slot)["live"]) for slot in slots),
        "slots": len(slots),
    }


@sensitive_variables("token", "commands")
def _command_page(request: PersonRequest, *, server: Server, token: str, is_new: bool) -> HttpResponse:
    facts = {"server": server, "is_new": is_new, "command": _docker_command(token), "plain": _plain_command(token)}
    return render(request, "gpus/server_command.html", facts)


def _settings_of(token: str) -> list[str]:
    return [f"PRACTICUM_SITE_URL={settings.PRACTICUM_SITE_URL}", f"PRACTICUM_AGENT_TOKEN={token}"]


def _docker_command(token: str) -> str:
    """Starts the agent in a container: all GPUs to look at, the machine's processes to see, no rights over either."""
    words = ["docker", "run", "--detach", "--name", "practicum-agent", "--restart", "unless-stopped"]
    words += ["--pid", "host", "--gpus", "all", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    for setting in ("NVIDIA_DRIVER_CAPABILITIES=utility", *_settings_of(token)):
        words += ["--env", setting]
    return shlex.join([*words, IMAGE, "python", "-m", "practicum_hub.agent"])


def _plain_command(token: str) -> str:
    """Starts the agent from a copy of the repository."""
    return shlex.join(["env", *_settings_of(token), "PYTHONPATH=hub", "python3", "-m", "practicum_hub.agent"])
