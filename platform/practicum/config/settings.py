"""Django's settings, made from the checked environment (:mod:`practicum.config.env`)."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url

from practicum.config.env import private_text, read
from practicum.config.sign_in import allauth_providers

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = read(os.environ, root=ROOT)

# --- Practicum's own -----------------------------------------------------------------------------------------------
PRACTICUM_ENV = ENVIRONMENT.env
PRACTICUM_DATA_DIR = ENVIRONMENT.data_dir
PRACTICUM_SITE_URL = ENVIRONMENT.site_url
PRACTICUM_SITE_INTERNAL_URL = ENVIRONMENT.site_internal_url
PRACTICUM_HUB_URL = ENVIRONMENT.hub_url
PRACTICUM_HUB_API_URL = ENVIRONMENT.hub_api_url
PRACTICUM_HUB_API_TOKEN = ENVIRONMENT.hub_api_token
PRACTICUM_HUB_SITE_TOKEN = ENVIRONMENT.hub_site_token
PRACTICUM_METRICS_TOKEN = ENVIRONMENT.metrics_token
PRACTICUM_OIDC_CLIENT_ID = ENVIRONMENT.oidc_client_id
PRACTICUM_OIDC_CLIENT_SECRET = ENVIRONMENT.oidc_client_secret
PRACTICUM_SPLIT_SECRET = ENVIRONMENT.split_secret
PRACTICUM_ISSUER_KEY_FILE = ENVIRONMENT.issuer_key_file
PRACTICUM_ENGINE = ENVIRONMENT.engine
PRACTICUM_WORKSPACE_IMAGE = ENVIRONMENT.workspace_image
PRACTICUM_SCORER_IMAGE = ENVIRONMENT.scorer_image
PRACTICUM_WORKSPACE_PYTHON = ENVIRONMENT.workspace_python
PRACTICUM_NETWORK = ENVIRONMENT.network
PRACTICUM_EGRESS_PROXY = ENVIRONMENT.egress_proxy
PRACTICUM_FETCH_NETWORK = ENVIRONMENT.fetch_network
PRACTICUM_INSTANCE = ENVIRONMENT.instance

# Webhooks of people lead to the public internet, by https; where nobody else is served, to this machine too.
PRACTICUM_WEBHOOK_SCHEMES = ("https",) if ENVIRONMENT.is_production else ("https", "http")
PRACTICUM_WEBHOOK_NETWORKS = () if ENVIRONMENT.is_production else ("127.0.0.0/8", "::1/128")

# Limits of what an intern hands in, and of one evaluation (a project's manifest may ask for less).
PRACTICUM_SUBMISSION_MAX_BYTES = 300 * 1024 * 1024
PRACTICUM_SUBMISSION_MAX_FILES = 2_000
PRACTICUM_NOTEBOOK_MAX_BYTES = 10 * 1024 * 1024
PRACTICUM_EVALUATION_MEMORY_BYTES = 4 * 1024**3
PRACTICUM_EVALUATION_CPUS = 1.0
PRACTICUM_WORKSPACE_MEMORY_BYTES = 4 * 1024**3
PRACTICUM_WORKSPACE_CPUS = 2.0

# Snapshots of workspaces, taken before a slot that is asked back is given up.
PRACTICUM_SNAPSHOT_KEEP = ENVIRONMENT.snapshots.keep
PRACTICUM_SNAPSHOT_SECONDS = ENVIRONMENT.snapshots.seconds
PRACTICUM_SNAPSHOT_MAX_BYTES = ENVIRONMENT.snapshots.max_mb * 1024**2
PRACTICUM_VOLUME_DRIVER = ENVIRONMENT.volumes.driver
PRACTICUM_VOLUME_OPTIONS = dict(ENVIRONMENT.volumes.options)
# What one intern's files may take (practicum.workspaces.home_rules); 0: there is no limit.
PRACTICUM_HOME_QUOTA_BYTES = ENVIRONMENT.volumes.quota_gb * 10**9

# Backups (practicum.config.keeping); the hour also tells the doctor and the metrics whether one is expected each day.
PRACTICUM_BACKUPS = ENVIRONMENT.backups

# --- Django --------------------------------------------------------------------------------------------------------
SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = False
ALLOWED_HOSTS = sorted(
    {
        *ENVIRONMENT.allowed_hosts,
        urlsplit(ENVIRONMENT.site_url).hostname or "",
        urlsplit(ENVIRONMENT.site_internal_url).hostname or "",
    }
)
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.site_url]
ROOT_URLCONF = "practicum.config.urls"
WSGI_APPLICATION = "practicum.config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "oauth2_provider",
    "practicum.audit",
    "practicum.accounts",
    "practicum.catalog",
    "practicum.internships",
    "practicum.gpus",
    "practicum.workspaces",
    "practicum.submissions",
    "practicum.evaluation",
    "practicum.reviews",
    "practicum.credentials",
    "practicum.persons",
    "practicum.portal",
    "practicum.digests",
    "practicum.config.apps.ConfigConfig",
    # After our own, whose templates stand in front of these.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
]

MIDDLEWARE = [
    "practicum.config.logs.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "practicum.config.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "practicum.config.middleware.RefusalMiddleware",
    "practicum.config.outages.OutageMiddleware",
    "practicum.config.unknown_fields.UnknownFieldsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "practicum.portal.context.site",
            ],
        },
    },
]

DATABASES = {"default": dj_database_url.parse(ENVIRONMENT.database_url, conn_max_age=60, conn_health_checks=True)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

# Counters of failed sign-ins are shared by all web processes; `practicum setup` makes the table.
# Django's 300 entries would have counters thrown out while they count, by whoever fails often enough.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "practicum_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}

# The first hashes people's passwords; the second only what machines make (see there).
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "practicum.accounts.hashers.MachineSecretHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "portal:home"

# --- Sign-in by providers and with a second factor (django-allauth) ------------------------------------------------
PRACTICUM_WAYS_IN = ENVIRONMENT.ways_in
ACCOUNT_ADAPTER = "practicum.accounts.allauth_adapters.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"  # an address is proven by an invitation's mail, or by an admin
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = "username"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGIN_TIMEOUT = 600
MFA_ADAPTER = "practicum.accounts.allauth_adapters.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Practicum"
MFA_TOTP_TOLERANCE = 1  # 30 s before and after: phones' clocks differ
SOCIALACCOUNT_ADAPTER = "practicum.accounts.allauth_adapters.ProviderAdapter"
SOCIALACCOUNT_PROVIDERS = allauth_providers(ENVIRONMENT.ways_in)
SOCIALACCOUNT_QUERY_EMAIL = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = True  # our own view takes POST alone
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = "oidc"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10

# --- Mail ----------------------------------------------------------------------------------------------------------
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = ENVIRONMENT.email.host
EMAIL_PORT = ENVIRONMENT.email.port
EMAIL_HOST_USER = ENVIRONMENT.email.user
EMAIL_HOST_PASSWORD = ENVIRONMENT.email.password
EMAIL_USE_TLS = ENVIRONMENT.email.security == "starttls"
EMAIL_USE_SSL = ENVIRONMENT.email.security == "tls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = ENVIRONMENT.email.sender

LANGUAGE_CODE = "en"
TIME_ZONE = ENVIRONMENT.time_zone
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = ENVIRONMENT.data_dir / "static"
_NODE = ROOT / "node_modules"
STATICFILES_DIRS = [
    ("vendor/bootstrap/css", _NODE / "bootstrap" / "dist" / "css"),
    ("vendor/bootstrap/js", _NODE / "bootstrap" / "dist" / "js"),
    ("vendor/bootstrap-icons", _NODE / "bootstrap-icons" / "font"),
    ("vendor/chart", _NODE / "chart.js" / "dist"),
    ("vendor/htmx", _NODE / "htmx.org" / "dist"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = not ENVIRONMENT.is_production
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000  # the matrix of quotas has eight a cell
DATA_UPLOAD_MAX_NUMBER_FILES = 4

# --- Security ------------------------------------------------------------------------------------------------------
_TLS = ENVIRONMENT.site_url.startswith("https://")
SESSION_COOKIE_NAME = "__Host-practicum-session" if _TLS else "practicum-session"
CSRF_COOKIE_NAME = "__Host-practicum-csrf" if _TLS else "practicum-csrf"
SESSION_COOKIE_SECURE = _TLS
CSRF_COOKIE_SECURE = _TLS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = _TLS
# Hub, agents, notebooks and Prometheus call the site inside its own network, where the TLS proxy is not on the way: a redirect
# would lose their POST. Whoever comes from outside is redirected by the TLS proxy before anything gets here.
SECURE_REDIRECT_EXEMPT = [
    r"^api/",
    r"^o/(token|userinfo|revoke_token)/$",
    r"^o/\.well-known/",
    r"^health/",
    r"^metrics$",
]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _TLS else None
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds()) if _TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _TLS
SECURE_HSTS_PRELOAD = _TLS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# --- OpenID provider -----------------------------------------------------------------------------------------------
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_ISS_ENDPOINT": f"{ENVIRONMENT.site_url}/o",
    "OIDC_RSA_PRIVATE_KEY": private_text(ENVIRONMENT.oidc_key_file, setting="PRACTICUM_OIDC_KEY_FILE"),
    "OAUTH2_VALIDATOR_CLASS": "practicum.accounts.oidc.Validator",
    "SCOPES": {"openid": "Who you are", "profile": "Your name and role", "email": "Your e-mail address"},
    "PKCE_REQUIRED": True,
    "CLIENT_SECRET_HASHER": "machine_sha256",
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "ACCESS_TOKEN_EXPIRE_SECONDS": 300,
    "REFRESH_TOKEN_EXPIRE_SECONDS": int(timedelta(days=7).total_seconds()),
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
    "ROTATE_REFRESH_TOKEN": True,
    # RFC 9700: no implicit or password grant, S256 only, no token in a query, ``iss`` in answers, tokens kept as digests.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"] if not ENVIRONMENT.is_production else ["https"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "ids": {"()": "practicum.config.logs.Ids"},
        "outages": {"()": "practicum.config.logs.Outages"},
    },
    "formatters": {
        "line": {"format": "%(levelname)s %(name)s: %(message)s%(suffix)s"},
        "json": {"()": "practicum.config.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": ENVIRONMENT.log_format, "filters": ["ids"]},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR", "filters": ["outages"]},
        # A line a request: on a server; the demo's console is for people.
        "practicum.request": {"level": "INFO" if ENVIRONMENT.is_production else "WARNING"},
        "httpx": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
    },
}
