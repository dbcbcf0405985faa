"""The pages of the second factor: django-allauth's own views, in our words, for who is signed in.

Who has still to choose a password does that first; who has still to add a factor finds these open and nothing else.
"""

from __future__ import annotations

from typing import Any

from allauth.account.views import ReauthenticateView
from allauth.mfa.base import views as base
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from django.contrib.auth.decorators import login_required
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from practicum.accounts.access import own_password_first

forms_only = require_http_methods(["GET", "POST"])
reading_only = require_http_methods(["GET"])


def _own(view: Any) -> Any:
    return never_cache(login_required(own_password_first(sensitive_post_parameters()(view))))


authenticate = forms_only(sensitive_post_parameters()(base.authenticate))
password_again = forms_only(_own(ReauthenticateView.as_view()))
index = reading_only(_own(base.index))
code_again = forms_only(_own(base.reauthenticate))
add = forms_only(_own(totp.activate_totp))
remove = forms_only(_own(totp.deactivate_totp))
codes = reading_only(_own(recovery.view_recovery_codes))
new_codes = forms_only(_own(recovery.generate_recovery_codes))
