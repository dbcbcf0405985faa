"""Addresses of this room, with those of the OpenID provider that the hub needs; its management pages are left out."""

from __future__ import annotations

from django.urls import include, path, re_path
from django.views.decorators.http import require_http_methods
from oauth2_provider import views as provider

from practicum.accounts import notice_views, views
from practicum.accounts.access import own_password_first

# Django's form views take PUT for POST; this one takes what OAuth knows.
authorize = require_http_methods(["GET", "POST"])(
    own_password_first(provider.AuthorizationView.as_view(template_name="accounts/authorize.html"))
)

provider_urls = [
    path("authorize/", authorize, name="authorize"),
    path("token/", provider.TokenView.as_view(), name="token"),
    path("revoke_token/", provider.RevokeTokenView.as_view(), name="revoke-token"),
    path("userinfo/", provider.UserInfoView.as_view(), name="user-info"),
    path(".well-known/jwks.json", provider.JwksInfoView.as_view(), name="jwks-info"),
    re_path(
        r"^\.well-known/openid-configuration/?$",
        provider.ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
]

pages = [
    path("sign-in/", views.sign_in, name="sign_in"),
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

urlpatterns = [
    path("", include((pages, "accounts"))),
    path("o/", include((provider_urls, "oauth2_provider"))),
]
