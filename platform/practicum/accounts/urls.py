"""Addresses of this room, with those of the OpenID provider that the hub needs; its management pages are left out."""

from __future__ import annotations

from django.urls import include, path, re_path
from django.views.decorators.http import require_http_methods
from oauth2_provider import views as provider

from practicum.accounts import factor_views, notice_views, provider_views, views
from practicum.accounts.access import ready_first
from practicum.accounts.oidc import no_token_in_address
from practicum.accounts.ways_in import GITHUB, GOOGLE

# Django's form views take PUT for POST; this one takes what OAuth knows.
authorize = require_http_methods(["GET", "POST"])(
    ready_first(provider.AuthorizationView.as_view(template_name="accounts/authorize.html"))
)

provider_urls = [
    path("authorize/", authorize, name="authorize"),
    path("token/", provider.TokenView.as_view(), name="token"),
    path("revoke_token/", provider.RevokeTokenView.as_view(), name="revoke-token"),
    path("userinfo/", no_token_in_address(provider.UserInfoView.as_view()), name="user-info"),
    path(".well-known/jwks.json", provider.JwksInfoView.as_view(), name="jwks-info"),
    re_path(
        r"^\.well-known/openid-configuration/?$",
        provider.ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
]

pages = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/with/<slug:slug>/", provider_views.leave, name="leave_for_provider"),
    path("account/without/<slug:slug>/", provider_views.part, name="part_from_provider"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("account/", views.account, name="account"),
    path("account/notices/", notice_views.kinds, name="kinds"),
    path("account/notices/test/", notice_views.send_test, name="send_test"),
    path("account/webhook/secret/", notice_views.renew_secret, name="renew_secret"),
    path("notices/", notice_views.notice_list, name="notices"),
    path("unsubscribe/<str:ticket>/", notice_views.unsubscribe, name="unsubscribe"),
    path("notices/read/", notice_views.read_all, name="read_all_notices"),
    path("notices/<uuid:notice_id>/read/", notice_views.read, name="read_notice"),
]

# django-allauth's, by the names under which it looks for them; what of it is not here is not there.
allauth_pages = [
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-in/code/", factor_views.authenticate, name="mfa_authenticate"),
    path("account/again/", factor_views.password_again, name="account_reauthenticate"),
    path("account/factor/", factor_views.index, name="mfa_index"),
    path("account/factor/again/", factor_views.code_again, name="mfa_reauthenticate"),
    path("account/factor/app/", factor_views.add, name="mfa_activate_totp"),
    path("account/factor/app/remove/", factor_views.remove, name="mfa_deactivate_totp"),
    path("account/factor/codes/", factor_views.codes, name="mfa_view_recovery_codes"),
    path("account/factor/codes/new/", factor_views.new_codes, name="mfa_generate_recovery_codes"),
    *(
        path(f"sign-in/{slug}/callback/", provider_views.come_back, {"provider_id": slug}, name=f"{slug}_callback")
        for slug in (GITHUB, GOOGLE)
    ),
    path("sign-in/<slug:provider_id>/callback/", provider_views.come_back, name="openid_connect_callback"),
    path("sign-in/saml/<slug:organization_slug>/answer/", provider_views.saml_answer, name="saml_acs"),
    path("sign-in/saml/<slug:organization_slug>/answered/", provider_views.saml_come_back, name="saml_finish_acs"),
    path("sign-in/saml/<slug:organization_slug>/metadata/", provider_views.saml_metadata, name="saml_metadata"),
    path("sign-in/saml/<slug:organization_slug>/logout/", provider_views.saml_logout, name="saml_sls"),
]

urlpatterns = [
    *allauth_pages,
    path("", include((pages, "accounts"))),
    path("o/", include((provider_urls, "oauth2_provider"))),
]
