"""The ``practicum`` command on a server: Django's commands, with ours among them."""

from __future__ import annotations

import os
import sys

from practicum.config.env import ConfigurationError
from practicum.credentials.offline import verifier


def main() -> None:
    """Run a management command; an unusable environment is told in one message, without a traceback.

    ``certificate verify`` needs no site, no settings and no database, so it is run without them.
    """
    if sys.argv[1:3] == ["certificate", "verify"]:
        sys.exit(verifier.main(sys.argv[3:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practicum.config.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(str(error))
