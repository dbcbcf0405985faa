"""``python -m tests.bench.load_fill INTERNS``: people, a published project and scored work for the load bench.

All have one password, hashed once as production hashes it: making a thousand hashes is no part of what is measured,
checking them is.
"""

from __future__ import annotations

import sys

import django

from tests.bench.pages import INTERNS_A_MENTOR, fill

PASSWORD = "load-correct-horse"
INTERNS_A_COHORT = 200
PROJECT = "digits"


def main(interns: int) -> None:
    """Publish, fill in, set the password."""
    django.setup()
    from django.contrib.auth.hashers import make_password

    from practicum.accounts.models import Role, User
    from practicum.config.engine import site_engine
    from practicum.config.management.commands.seed_demo import PROJECTS, QUICKEST_CHECKS, published

    admin = User.objects.create_user(
        username="root-admin", email="a@example.org", password=PASSWORD, name="Admin", role=Role.ADMIN
    )
    published(PROJECTS / PROJECT, by=admin, engine=site_engine(), only=QUICKEST_CHECKS)
    cohorts = max(1, -(-interns // INTERNS_A_COHORT))
    fill(cohorts=cohorts, interns=max(INTERNS_A_MENTOR, -(-interns // cohorts)))
    User.objects.update(password=make_password(PASSWORD))


if __name__ == "__main__":
    main(int(sys.argv[1]))
