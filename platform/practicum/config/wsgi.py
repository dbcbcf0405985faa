"""The entry point for a WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practicum.config.settings")
application = get_wsgi_application()

from practicum.reviews.rendering import keep_warm  # noqa: E402  models can be imported only now

keep_warm()
