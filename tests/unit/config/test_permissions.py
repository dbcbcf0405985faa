"""The permission matrix: every address, every method, every kind of caller, and exactly what each gets.

The columns of a row, in order::

    outsider      nobody signed in
    intern        the intern whose work the address names
    peer          an intern of the same cohort and mentor
    stranger      an intern of another cohort
    mentor        the intern's mentor
    other_mentor  a mentor of others
    admin
    deactivated   the intern's session from before the account was switched off
    hub           the hub's service token
    workspace     the token of the intern's notebook

GET and POST are declared; every other method must be refused. POSTs carry no fields, so what may be done answers with a
redirect, or with 400 or 409 where a field or a state is missing. An address without a row fails the suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import request_finished
from django.db import close_old_connections, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from practicum.accounts.models import User
from practicum.portal import permissions
from tests.conftest import make_user
from tests.unit.internships.checks import publish_check

COLUMNS = (
    "outsider",
    "intern",
    "peer",
    "stranger",
    "mentor",
    "other_mentor",
    "admin",
    "deactivated",
    "hub",
    "workspace",
)
OTHER_METHODS = ("put", "patch", "delete")

# view: (GET, POST)
MATRIX: dict[str, tuple[str, str]] = {
    # No provider is set up here: tests/unit/accounts/test_providers.py has those that are.
    "account_login": ("200 302 302 302 302 302 302 200 200 200", "200 302 302 302 302 302 302 200 200 200"),
    "account_reauthenticate": ("302 200 200 200 200 200 200 302 302 302", "302 200 200 200 200 200 200 302 302 302"),
    "accounts:leave_for_provider": (
        "405 405 405 405 405 405 405 405 405 405",
        "404 404 404 404 404 404 404 404 404 404",
    ),
    "accounts:part_from_provider": (
        "302 405 405 405 405 405 405 302 302 302",
        "302 404 404 404 404 404 404 302 302 302",
    ),
    "github_callback": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "google_callback": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "openid_connect_callback": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "mfa_activate_totp": ("302 302 302 302 302 302 302 302 302 302", "302 302 302 302 302 302 302 302 302 302"),
    "mfa_authenticate": ("302 302 302 302 302 302 302 302 302 302", "302 302 302 302 302 302 302 302 302 302"),
    "mfa_deactivate_totp": ("302 404 404 404 404 404 404 302 302 302", "302 404 404 404 404 404 404 302 302 302"),
    "mfa_generate_recovery_codes": (
        "302 302 302 302 302 302 302 302 302 302",
        "302 302 302 302 302 302 302 302 302 302",
    ),
    "mfa_index": ("302 200 200 200 200 200 200 302 302 302", "405 405 405 405 405 405 405 405 405 405"),
    "mfa_reauthenticate": ("302 302 302 302 302 302 302 302 302 302", "302 302 302 302 302 302 302 302 302 302"),
    "mfa_view_recovery_codes": ("302 404 404 404 404 404 404 302 302 302", "405 405 405 405 405 405 405 405 405 405"),
    "portal:reset_factor": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 409 302 302 302"),
    "saml_acs": ("405 405 405 405 405 405 405 405 405 405", "404 404 404 404 404 404 404 404 404 404"),
    "saml_finish_acs": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "saml_metadata": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "saml_sls": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "accounts:account": ("302 200 200 200 200 200 200 302 302 302", "302 200 200 200 200 200 200 302 302 302"),
    "accounts:kinds": ("302 200 200 200 200 200 200 302 302 302", "302 400 400 400 400 400 400 302 302 302"),
    "accounts:notices": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "accounts:read_all_notices": (
        "302 405 405 405 405 405 405 302 302 302",
        "302 302 302 302 302 302 302 302 302 302",
    ),
    "accounts:read_notice": ("302 405 405 405 405 405 405 302 302 302", "302 302 404 404 404 404 404 302 302 302"),
    "accounts:renew_secret": ("302 405 405 405 405 405 405 302 302 302", "302 200 200 200 200 200 200 302 302 302"),
    "accounts:send_test": ("302 405 405 405 405 405 405 302 302 302", "302 302 302 302 302 302 302 302 302 302"),
    "accounts:sign_in": ("200 302 302 302 302 302 302 200 200 200", "200 302 302 302 302 302 302 200 200 200"),
    "accounts:sign_out": ("405 405 405 405 405 405 405 405 405 405", "302 302 302 302 302 302 302 302 302 302"),
    # The signed ticket stands for the person, whoever brings it: mail programs do (RFC 8058).
    "accounts:unsubscribe": ("200 200 200 200 200 200 200 200 200 200", "200 200 200 200 200 200 200 200 200 200"),
    "catalog:project": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "catalog:projects": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    # The intern's certificate is issued and private; their portfolio is public.
    "credentials:bundle": ("404 200 404 404 200 404 200 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:certificate": ("404 200 404 404 200 404 200 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:certificates": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "credentials:check": ("200 200 200 200 200 200 200 200 200 200", "400 400 400 400 400 400 400 400 400 400"),
    "credentials:document": ("404 200 404 404 200 404 200 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:early": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 409 404 409 302 302 302"),
    "credentials:issuer": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:own_portfolio": ("302 200 200 200 404 404 404 302 302 302", "302 302 302 302 404 404 404 302 302 302"),
    "credentials:pdf": ("404 200 404 404 200 404 200 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:portfolio": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:revoke": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "credentials:revoked": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "credentials:show": ("302 405 405 405 404 404 404 302 302 302", "302 400 404 404 404 404 404 302 302 302"),
    "credentials:verifier": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "digests:remove_webhook": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "digests:test_webhook": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 409 302 302 302"),
    "digests:webhook": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "evaluation:board_csv": ("302 404 404 404 200 404 200 302 302 302", "302 404 404 404 405 405 405 302 302 302"),
    "evaluation:board_names": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 400 404 400 302 302 302"),
    # By the real clock the cohort is over: nothing can be chosen, and the close can't be moved.
    "evaluation:choose": ("302 405 405 405 404 404 404 302 302 302", "302 409 404 404 404 404 404 302 302 302"),
    "evaluation:close_board": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 409 404 409 302 302 302"),
    "evaluation:release_board": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 302 404 302 302 302 302"),
    "evaluation:cancel": ("302 405 405 405 405 405 405 302 302 302", "302 409 404 404 409 404 409 302 302 302"),
    "evaluation:leaderboard": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "evaluation:rerun": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 302 404 302 302 302 302"),
    "evaluation:rescore": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 409 404 409 302 302 302"),
    "evaluation:status": ("401 401 401 401 401 401 401 401 401 200", "405 405 405 405 405 405 405 405 405 405"),
    "evaluation:submission": ("401 401 401 401 401 401 401 401 401 200", "405 405 405 405 405 405 405 405 405 405"),
    "evaluation:submit": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 400"),
    "evaluation:upload": ("302 200 200 200 404 404 404 302 302 302", "302 400 400 400 404 404 404 302 302 302"),
    "gpus:cancel_reservation": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 409 404 400 302 302 302"),
    "gpus:decide_reservation": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:end_lease": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "gpus:estimates": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:history": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:history_csv": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:history_json": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:live": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:new_reservation": ("302 404 404 404 200 200 200 302 302 302", "302 404 404 404 400 400 400 302 302 302"),
    "gpus:overview": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:cancel_plan": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "gpus:plan": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:plan_again": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 409 302 302 302"),
    "gpus:planner": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:quotas": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:renew_reservation_feed": (
        "302 404 404 404 405 405 405 302 302 302",
        "302 404 404 404 302 302 302 302 302 302",
    ),
    "gpus:reservation": ("302 404 404 404 200 404 200 302 302 302", "302 404 404 404 405 405 405 302 302 302"),
    "gpus:reservation_feed": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "gpus:reservations": ("302 404 404 404 200 200 200 302 302 302", "302 404 404 404 405 405 405 302 302 302"),
    "gpus:withdraw_reservation": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 302 404 302 302 302 302"),
    "gpus:report": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 401"),
    "gpus:give_up": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:new_server": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:new_token": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 200 302 302 302"),
    "gpus:revoke_token": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "gpus:server": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:server_state": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "gpus:servers": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "gpus:shares": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:answer": ("302 405 405 405 405 405 405 302 302 302", "302 400 404 404 400 404 400 302 302 302"),
    "internships:application": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "internships:adjust": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:applications": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "internships:applications_csv": (
        "302 404 404 404 404 404 200 302 302 302",
        "302 404 404 404 404 404 405 302 302 302",
    ),
    # By the real clock nobody can apply any more.
    "internships:apply": ("302 200 200 200 404 404 404 302 302 302", "302 400 400 400 404 404 404 302 302 302"),
    "internships:ask": ("302 405 405 405 405 405 405 302 302 302", "302 400 404 404 400 404 400 302 302 302"),
    # The page of a cohort to which nobody may apply is for people with an account.
    "internships:cohort": ("404 200 200 200 200 200 200 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "internships:confirm": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 409 302 302 302"),
    "internships:check_in": ("302 405 405 405 405 405 405 302 302 302", "302 400 404 404 400 404 400 302 302 302"),
    "internships:decline": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:go_on": ("302 405 405 405 405 405 405 302 302 302", "302 409 404 404 409 404 409 302 302 302"),
    "internships:invitations": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:join": ("200 200 200 200 200 200 200 200 200 200", "400 302 302 302 403 403 403 400 400 400"),
    "internships:matching": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "internships:message": ("302 405 405 405 405 405 405 302 302 302", "302 400 404 404 400 404 400 302 302 302"),
    "internships:offer": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:offer_place": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "internships:propose": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "internships:ranking": ("302 404 404 404 200 404 404 302 302 302", "302 404 404 404 302 404 404 302 302 302"),
    "internships:record": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "internships:revoke_invitation": (
        "302 404 404 404 404 404 405 302 302 302",
        "302 404 404 404 404 404 302 302 302 302",
    ),
    "internships:send_invitation": (
        "302 404 404 404 404 404 405 302 302 302",
        "302 404 404 404 404 404 409 302 302 302",
    ),
    "internships:set_checks": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "internships:settings": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "internships:sign_up": ("404 302 302 302 302 302 302 404 404 404", "404 302 302 302 302 302 302 404 404 404"),
    "internships:start_check": ("302 405 405 405 404 404 404 302 302 302", "302 400 404 404 404 404 404 302 302 302"),
    "internships:take_back": ("302 405 405 405 405 405 405 302 302 302", "302 302 404 404 403 404 403 302 302 302"),
    "internships:undo_withdrawal": (
        "302 405 405 405 404 404 404 302 302 302",
        "302 409 404 404 404 404 404 302 302 302",
    ),
    "internships:withdraw": ("302 405 405 405 404 404 404 302 302 302", "302 302 404 404 404 404 404 302 302 302"),
    "internships:withdraw_offer": (
        "302 404 404 404 404 404 405 302 302 302",
        "302 404 404 404 404 404 302 302 302 302",
    ),
    "oauth2_provider:authorize": ("302 400 400 400 400 400 400 302 302 302", "302 200 200 200 200 200 200 302 302 302"),
    "oauth2_provider:jwks-info": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "oauth2_provider:oidc-connect-discovery-info": (
        "200 200 200 200 200 200 200 200 200 200",
        "405 405 405 405 405 405 405 405 405 405",
    ),
    "oauth2_provider:revoke-token": (
        "405 405 405 405 405 405 405 405 405 405",
        "400 400 400 400 400 400 400 400 400 400",
    ),
    "oauth2_provider:token": ("405 405 405 405 405 405 405 405 405 405", "400 400 400 400 400 400 400 400 400 400"),
    "oauth2_provider:user-info": ("401 401 401 401 401 401 401 401 401 401", "401 401 401 401 401 401 401 401 401 401"),
    "persons:account": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "persons:ask": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "persons:ask_own": ("302 405 405 405 405 405 405 302 302 302", "302 400 400 400 400 400 400 302 302 302"),
    "persons:export": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "persons:export_own": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "persons:own": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "persons:retention": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 302 302 302 302"),
    "persons:take_back": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 409 302 302 302"),
    "persons:take_back_own": ("302 405 405 405 405 405 405 302 302 302", "302 409 409 409 409 409 409 302 302 302"),
    "portal:account_active": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:accounts": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "portal:attention": ("302 404 404 404 200 200 200 302 302 302", "302 404 404 404 405 405 405 302 302 302"),
    "portal:change_mentor": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:complete_internship": (
        "302 404 404 404 405 405 405 302 302 302",
        "302 404 404 404 302 404 302 302 302 302",
    ),
    "portal:milestone": ("302 404 404 404 405 405 405 302 302 302", "302 404 404 404 302 404 302 302 302 302"),
    "portal:end_internship": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:health": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "portal:live": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "portal:ready": ("200 200 200 200 200 200 200 200 200 200", "405 405 405 405 405 405 405 405 405 405"),
    "portal:status": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "portal:home": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "portal:internship": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    # Switched off while PRACTICUM_METRICS_TOKEN is empty; with it, tests/unit/portal/test_metrics.py.
    "portal:metrics": ("404 404 404 404 404 404 404 404 404 404", "405 405 405 405 405 405 405 405 405 405"),
    "portal:new_account": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:new_cohort": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:new_internship": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 400 302 302 302"),
    "portal:people": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "portal:permissions": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "portal:record": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "portal:record_csv": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "portal:record_json": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "portal:reset_account": ("302 404 404 404 404 404 405 302 302 302", "302 404 404 404 404 404 200 302 302 302"),
    "portal:submission": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "portal:submission_live": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "portal:submissions": ("302 200 200 200 404 404 404 302 302 302", "302 405 405 405 404 404 404 302 302 302"),
    "reviews:comment": ("302 405 405 405 405 405 405 302 302 302", "302 400 404 404 400 404 404 302 302 302"),
    "reviews:decide": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 400 404 404 302 302 302"),
    "reviews:desk": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "reviews:draft": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 400 404 404 302 302 302"),
    "reviews:forget_snippet": (
        "302 404 404 404 405 405 404 302 302 302",
        "302 404 404 404 302 404 404 302 302 302",
    ),
    "reviews:keep_snippet": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 400 404 404 302 302 302"),
    "reviews:use_snippet": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 204 404 404 302 302 302"),
    "reviews:use_own_snippet": (
        "302 404 404 404 405 405 404 302 302 302",
        "302 404 404 404 204 404 404 302 302 302",
    ),
    "reviews:minutes": ("302 404 404 404 404 404 200 302 302 302", "302 404 404 404 404 404 405 302 302 302"),
    "reviews:tell_minutes": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 400 404 404 302 302 302"),
    "reviews:inbox": ("302 404 404 404 200 200 404 302 302 302", "302 404 404 404 405 405 404 302 302 302"),
    "reviews:notebook": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "reviews:remedy": ("302 200 200 200 200 200 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "reviews:resolve": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 302 404 404 302 302 302"),
    "reviews:undo": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 409 404 404 302 302 302"),
    "submissions:file": ("302 200 404 404 200 404 200 302 302 302", "302 405 405 405 405 405 405 302 302 302"),
    "submissions:likeness": ("302 404 404 404 200 404 200 302 302 302", "302 404 404 404 405 405 405 302 302 302"),
    "workspaces:activity": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 400"),
    "workspaces:claim": ("401 401 401 401 401 401 401 401 405 401", "401 401 401 401 401 401 401 401 400 401"),
    "workspaces:event": ("401 401 401 401 401 401 401 401 405 401", "401 401 401 401 401 401 401 401 400 401"),
    "workspaces:join": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    "workspaces:leave": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    # The intern's mentor reads already; nobody asks to work in the notebook, and no notebook is in the body.
    "reviews:help": ("302 404 404 404 200 404 404 302 302 302", "302 404 404 404 405 405 404 302 302 302"),
    "reviews:help_end": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 302 404 404 302 302 302"),
    "reviews:help_hands": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 302 404 404 302 302 302"),
    "reviews:help_notebook": ("302 404 404 404 200 404 404 302 302 302", "302 404 404 404 405 405 404 302 302 302"),
    "reviews:help_open": ("302 404 404 404 405 405 404 302 302 302", "302 404 404 404 409 404 404 302 302 302"),
    "workspaces:help": ("302 200 200 200 404 404 404 302 302 302", "302 400 400 400 404 404 404 302 302 302"),
    "workspaces:help_allow": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    "workspaces:help_end": ("302 405 405 405 404 404 404 302 302 302", "302 302 409 409 404 404 404 302 302 302"),
    "workspaces:help_notebook": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 400"),
    "workspaces:help_over": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 200"),
    "workspaces:help_refuse": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    "workspaces:help_state": ("401 401 401 401 401 401 401 401 401 200", "405 405 405 405 405 405 405 405 405 405"),
    "workspaces:live": ("302 200 200 200 404 404 404 302 302 302", "302 405 405 405 404 404 404 302 302 302"),
    "workspaces:meanwhile": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    "workspaces:move": ("405 405 405 405 405 405 405 405 405 405", "401 401 401 401 401 401 401 401 401 409"),
    "workspaces:notebook": ("302 200 200 200 404 404 404 302 302 302", "302 405 405 405 404 404 404 302 302 302"),
    "workspaces:restore": ("302 405 405 405 404 404 404 302 302 302", "302 302 404 404 404 404 404 302 302 302"),
    "workspaces:snapshot_archive": (
        "302 200 404 404 404 404 404 302 302 302",
        "302 405 405 405 404 404 404 302 302 302",
    ),
    "workspaces:snapshots": ("302 200 200 200 404 404 404 302 302 302", "302 405 405 405 404 404 404 302 302 302"),
    "workspaces:start": ("302 405 405 405 404 404 404 302 302 302", "302 302 302 302 404 404 404 302 302 302"),
    "workspaces:take": ("302 405 405 405 404 404 404 302 302 302", "302 409 409 409 404 404 404 302 302 302"),
    "workspaces:stop": ("302 405 405 405 404 404 404 302 302 302", "302 302 409 409 404 404 404 302 302 302"),
}


def views_of(resolver: URLResolver, *, space: str = "") -> Iterator[str]:
    """The full name of every view."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views_of(entry, space=f"{space}{entry.namespace}:" if entry.namespace else space)
        else:
            assert isinstance(entry, URLPattern)
            assert entry.name, f"{entry.pattern} has no name"
            yield f"{space}{entry.name}"


@pytest.fixture
def things(
    internship: Any,
    peer_internship: Any,
    stranger_internship: Any,
    intern: Any,
    mentor: Any,
    other_mentor: Any,
    admin: Any,
    now: Any,
) -> dict[str, Any]:
    """A submission of the intern with a review comment, a live lease with its session, their tokens, a reservation."""
    from practicum.accounts.notices import notify
    from practicum.accounts.unsubscribing import address_of as way_out_of
    from practicum.credentials.freezing import freeze
    from practicum.credentials.models import Certificate, Portfolio
    from practicum.gpus.inventory import pool_of
    from practicum.gpus.models import AgentToken, Lease, Plan, PoolKind, Reservation, Server, Slot
    from practicum.gpus.plan_rules import Question, Setting
    from practicum.gpus.reservation_feed import secret_of
    from practicum.internships.invitations import token_of as link_token_of
    from practicum.internships.models import Application, Change, Invitation, Offer, Placement
    from practicum.internships.readiness_models import CohortCheck
    from practicum.lib.clock import utc_now
    from practicum.reviews.models import Comment, Snippet
    from practicum.submissions.models import Likeness, Submission
    from practicum.workspaces.models import HelpNotebook, HelpRequest, Session, Snapshot
    from practicum.workspaces.tokens import mint_token

    submission = Submission.objects.create(
        internship=internship, version=internship.version, number=1, digest="a" * 64, source="terminal", received_at=now,
        size_bytes=10, files=[{"path": "predict.py", "bytes": 10}], notebook="",
    )  # fmt: skip
    submission.folder.mkdir(parents=True)
    (submission.folder / "predict.py").write_text("x = 1\n")
    (internship.version.folder / "project" / "README.md").write_text("# Digits\n")
    peers = Submission.objects.create(
        internship=peer_internship, version=internship.version, number=1, digest="b" * 64, source="terminal", received_at=now,
        size_bytes=10, files=[{"path": "predict.py", "bytes": 10}], notebook="",
    )  # fmt: skip
    likeness = Likeness.objects.create(first=submission, second=peers, share=0.9, passages=[], found_at=now)
    comment = Comment.objects.create(submission=submission, author=mentor, body="Why?", written_at=now)
    snippet = Snippet.objects.create(
        project=internship.version.project, body="Name the axes.", digest="s" * 64, used_at=now, kept_by=mentor
    )
    internship.version.manifest["rubric"][0]["snippets"] = ["Say how often."]
    internship.version.save()
    server = Server.objects.create(name="gpu-1", seen_at=now)
    token = AgentToken.objects.create(server=server, digest="t" * 64, made_by=admin, made_at=now)
    slot = Slot.objects.create(
        server=server, pool=pool_of(name="CPU slots", kind=PoolKind.CPU), kind="cpu", index=0, uuid="cpu-0", model="CPU"
    )
    soon = utc_now() + timedelta(hours=1)
    lease = Lease.objects.create(
        user=intern, cohort=internship.cohort, state="active", token=1, slot=slot, duration=timedelta(hours=1),
        requested_at=now, granted_at=now, lease_until=soon,
    )  # fmt: skip
    session = Session.objects.create(
        user=intern,
        internship=internship,
        lease=lease,
        state="running",
        deadline=soon,
        requested_at=now,
        active_at=utc_now(),
    )
    helping = HelpRequest.objects.create(
        session=session, mentor=mentor, topic="Why?", minutes=30, state="reading", asked_at=now, opened_at=now, until=soon
    )  # fmt: skip
    shown = HelpNotebook.objects.create(request=helping, path="x.ipynb", digest="n" * 64, content=b"{}", sent_at=now)
    snapshot = Snapshot.objects.create(
        internship=internship, session=session, asked_at=now, made_at=now, reason="x", state="kept", deadline=soon, bytes=1
    )  # fmt: skip
    snapshot.path.parent.mkdir(parents=True)
    snapshot.path.write_bytes(b"x")
    reservation = Reservation.objects.create(
        cohort=internship.cohort, pool=slot.pool, slots=1, starts_at=soon, ends_at=soon + timedelta(hours=1),
        requested_by=mentor, requested_at=now,
    )  # fmt: skip
    notice = notify(intern, kind="test", subject="Hello", body="Hello", path="/account/", key="test", now=now)
    offer = Offer.objects.create(cohort=internship.cohort, project=internship.version.project, mentor=mentor, places=2)
    application = Application.objects.create(
        cohort=internship.cohort, applicant=intern, background="x", hours_a_week=8, hardware="none", sent_at=now, changed_at=now
    )  # fmt: skip
    check = publish_check(admin, now=now)
    CohortCheck.objects.create(cohort=internship.cohort, project=check.project, is_asked=True, added_by=admin)
    change = Change.objects.create(internship=internship, kind="end", asked_by=intern, asked_at=now, reason="x")
    matched = Application.objects.create(
        cohort=internship.cohort, applicant=make_user("anna", role="intern", name="Anna"), background="x", hours_a_week=8,
        hardware="none", sent_at=now, changed_at=now, state="offered",
    )  # fmt: skip
    placement = Placement.objects.create(application=matched, offer=offer, proposed=offer, made_at=now)
    invitation = Invitation.objects.create(
        cohort=internship.cohort, email="new@example.org", invited_by=admin, made_at=now, expires_at=soon
    )
    nothing = Question(1, Setting({}, {}), Setting({}, {})).to_json()
    plan = Plan.objects.create(asked_by=admin, asked_at=now, question=nothing, deadline=soon)
    internship.completed_at = now
    certificate = Certificate.objects.create(
        place=0, internship=internship, state="issued", begun_at=now, issued_at=now, submission=submission, facts={},
    )  # fmt: skip
    Portfolio.objects.create(user=intern, is_public=True, changed_at=now)
    certificate.facts = freeze(certificate)
    certificate.save()
    return {
        "certificate_id": certificate.pk, "username": "ines",
        "likeness_id": likeness.pk,
        "notice_id": notice.pk,
        "plan_id": plan.pk,
        "offer_id": offer.pk,
        "application_id": application.pk,
        "invitation_id": invitation.pk,
        "placement_id": placement.pk,
        "change_id": change.pk,
        "position": 1,
        "check_slug": check.project.slug,
        "remedy": "remedy/sgd.ipynb",
        "token": link_token_of(invitation),
        "ticket": way_out_of(intern, what="digest").rstrip("/").rpartition("/")[2],
        "provider_id": "oidc", "organization_slug": "lab",
        "request_id": helping.pk, "notebook_id": shown.pk,
        "snapshot_id": snapshot.pk,
        "reservation_id": reservation.pk, "secret": secret_of(mentor),
        "submission_id": submission.pk, "internship_id": internship.pk, "account_id": intern.pk,
        "comment_id": comment.pk, "snippet_id": snippet.pk, "line": 0, "place": 0, "lease_id": lease.pk,
        "token_id": token.pk, "session_id": session.pk, "name": "gpu-1", "slug": "digits", "cohort_slug": "spring", "path": "predict.py", "number": 1,
        "workspace_token": mint_token(session, expires_at=soon, now=utc_now()),
    }  # fmt: skip


@pytest.fixture
def callers(things: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Client]:
    """A client for each column."""

    def client(token: str = "") -> Client:
        return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"} if token else {})

    def person(name: str) -> Client:
        signed_in = client()
        signed_in.force_login(request.getfixturevalue(name))
        return signed_in

    return {
        "outsider": client(),
        **{name: person(name) for name in ("intern", "peer", "stranger", "mentor", "other_mentor", "admin")},
        "deactivated": person("intern"),
        "hub": client(settings.PRACTICUM_HUB_SITE_TOKEN),
        "workspace": client(things["workspace_token"]),
    }


def call(column: str, *, method: str, address: str, callers: dict[str, Client]) -> str:
    """The status one caller gets; all that the call changed is undone."""
    client = callers[column]
    kept = client.cookies.copy()
    with transaction.atomic():
        if column == "deactivated":
            User.objects.filter(username="ines").update(is_active=False)
        answer = getattr(client, method)(address)
        # The end of an answer is not the end of the test's connection.
        request_finished.disconnect(close_old_connections)
        answer.close()
        request_finished.connect(close_old_connections)
        transaction.set_rollback(True)
    client.cookies = kept
    return str(answer.status_code)


def address_of(view: str, *, things: dict[str, Any]) -> str:
    """The address of a view for the intern's things."""
    for entry in _candidates(view):
        arguments = {name: things[name] for name in entry}
        return reverse(view, kwargs=arguments)
    raise AssertionError(view)


def _candidates(view: str) -> list[list[str]]:
    *spaces, name = view.split(":")
    resolver = get_resolver()
    for space in spaces:
        resolver = resolver.namespace_dict[space][1]
    return [possibility[0][1] for possibility, *_ in resolver.reverse_dict.getlist(name)]


def statuses(view: str, *, method: str, things: dict[str, Any], callers: dict[str, Client]) -> str:
    """What each column gets, as a row of the matrix."""
    address = address_of(view, things=things)
    return " ".join(call(column, method=method, address=address, callers=callers) for column in COLUMNS)


def test_every_address_is_declared() -> None:
    assert set(views_of(get_resolver())) == set(MATRIX)


# What the test needs is made once for each dozen.
DOZENS = [sorted(MATRIX)[start : start + 12] for start in range(0, len(MATRIX), 12)]


@pytest.mark.parametrize("views", DOZENS, ids=lambda views: f"{views[0]} to {views[-1]}")
def test_each_caller_gets_exactly_what_is_declared_and_no_other_method_does_anything(
    views: list[str], things: dict[str, Any], callers: dict[str, Client]
) -> None:
    rows = partial(statuses, things=things, callers=callers)
    assert {view: (rows(view, method="get"), rows(view, method="post")) for view in views} == {
        view: MATRIX[view] for view in views
    }
    for view, method in product(views, OTHER_METHODS):
        row = rows(view, method=method)
        assert not [code for code in row.split() if code[0] in "25"], f"{method} {view}: {row}"


# Addresses that are no person's to do: sign-in and its provider, what is open to everybody, what only who asked takes back,
# programs with a token of their own, the way out of a mail, health.
NO_PERSONS = {
    "accounts:unsubscribe",
    "account_login", "accounts:leave_for_provider", "accounts:part_from_provider", "mfa_authenticate", "github_callback", "google_callback",
    "mfa_deactivate_totp", "mfa_view_recovery_codes", "openid_connect_callback", "saml_acs", "saml_finish_acs", "saml_metadata", "saml_sls",
    "accounts:sign_in", "accounts:sign_out", "accounts:read_notice", "internships:join", "internships:sign_up", "internships:take_back", "evaluation:status", "evaluation:submission",
    "evaluation:submit", "gpus:report", "gpus:reservation_feed", "portal:health", "portal:home", "portal:live", "portal:ready", "portal:metrics",
    "workspaces:activity", "workspaces:claim", "workspaces:event", "workspaces:help_notebook", "workspaces:help_over",
    "workspaces:help_state", "workspaces:move",
}  # fmt: skip
REFUSED = {"401", "403", "404", "405"}


def reach(row: str) -> tuple[str, str, str]:
    """What the statuses of one method say of intern, mentor and admin, in the words of the table."""
    got = dict(zip(COLUMNS, row.split(), strict=True))

    def of(own: str, others: str) -> str:
        if got[own] in REFUSED:
            return permissions.NO
        # A conflict is an answer about the person's own state: who has none of this is told nothing of another's.
        return permissions.OWN if got[others] in REFUSED else permissions.ALL

    return of("intern", "stranger"), of("mentor", "other_mentor"), of("admin", "admin")


@pytest.mark.parametrize("rule", [rule for _, rules in permissions.AREAS for rule in rules], ids=lambda rule: rule.what)
def test_the_table_that_people_read_says_what_the_addresses_answer(rule: permissions.Rule) -> None:
    for view in rule.views:
        got, posted = MATRIX[view.removeprefix("+")]
        assert reach(posted if view.startswith("+") else got) == (rule.intern, rule.mentor, rule.admin), view


def test_the_table_that_people_read_leaves_nothing_out() -> None:
    told = {view.removeprefix("+") for _, rules in permissions.AREAS for rule in rules for view in rule.views}
    assert {view for view in MATRIX if not view.startswith("oauth2_provider:")} - told == NO_PERSONS
