"""What can be wrong with what is handed in. Each message names the file and says what to do."""

from __future__ import annotations

from practicum.errors import Conflict, Invalid, TooLarge, TooMany


class BadArchive(Invalid):
    """The archive can't be used; ``member`` names the file inside it, where it is about one."""

    code = "bad_archive"


class InvalidNotebook(BadArchive):
    """The notebook that mentors would review is no notebook."""

    code = "invalid_notebook"


class SubmissionTooLarge(TooLarge):
    """It is over a limit of the site or of the project."""


class DuplicateSubmission(Conflict):
    """Exactly these files were handed in before; ``number`` and ``url`` say where they are."""

    code = "duplicate_submission"


class DailyCap(TooMany):
    """As many submissions were scored today as the project allows in a day."""

    code = "daily_cap"
