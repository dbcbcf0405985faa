"""What can go wrong between a notebook and the site, in one tree.

::

    WorkspaceError
    ├── NotAWorkspace          the environment of a Practicum notebook isn't there; exit code 6
    ├── CannotPack             nothing was sent: the folder is not yet a submission; exit code 3
    │   ├── NothingHere
    │   ├── NoPredict
    │   ├── BrokenNotebook
    │   └── PackTooLarge
    ├── SiteRefused            the site read it and said no; exit code 4
    │   ├── TokenExpired       401, 403
    │   ├── Duplicate          409
    │   ├── UploadTooLarge     413
    │   ├── ArchiveRefused     400
    │   ├── NotThere           404
    │   └── CapReached         429
    └── SiteAway               no answer, or none that makes sense; exit code 5

``str(error)`` is a sentence for the person at the notebook; it never holds the session's token.
"""

from __future__ import annotations


class WorkspaceError(Exception):
    """Base of the tree. ``code`` is stable and machine-readable, ``exit_code`` is what the command ends with."""

    code = "error"
    exit_code = 1
    status = 500

    def __init__(self, message: str, /, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def as_json(self) -> dict[str, object]:
        """The shape every Practicum error has on the wire."""
        return {"error": {"code": self.code, "message": self.message, **self.facts}}


class NotAWorkspace(WorkspaceError):
    """This program was started outside a Practicum notebook."""

    code = "not_a_workspace"
    exit_code = 6
    status = 503


class CannotPack(WorkspaceError):
    """The folder can't be handed in as it is; the message says what to write or remove."""

    code = "cannot_pack"
    exit_code = 3
    status = 400


class NothingHere(CannotPack):
    """The folder or notebook that was named does not exist."""

    code = "nothing_here"


class NoPredict(CannotPack):
    """There is no usable ``predict`` function."""

    code = "no_predict"


class BrokenNotebook(CannotPack):
    """The notebook is not valid JSON, or not a notebook."""

    code = "broken_notebook"


class PackTooLarge(CannotPack):
    """The folder is over a limit; the message names the largest files."""

    code = "too_large"


class SiteRefused(WorkspaceError):
    """The site answered, and said no."""

    code = "refused"
    exit_code = 4
    status = 409


class TokenExpired(SiteRefused):
    """The session's token no longer counts."""

    code = "token_expired"
    # Not 401 or 403: to JupyterLab those mean that the person is signed out of the notebook server itself.
    status = 409


class Duplicate(SiteRefused):
    """The same content was handed in before; ``facts`` has its number and address."""

    code = "duplicate_submission"


class UploadTooLarge(SiteRefused):
    """The upload is over the site's limit."""

    code = "too_large"
    status = 413


class ArchiveRefused(SiteRefused):
    """The site could not use the archive."""

    code = "bad_archive"
    status = 400


class NotThere(SiteRefused):
    """The site has no such thing for this person."""

    code = "not_found"
    status = 404


class CapReached(SiteRefused):
    """A cap per day is reached."""

    code = "too_many"
    status = 429


class SiteAway(WorkspaceError):
    """The site did not answer, or answered nonsense."""

    code = "site_away"
    exit_code = 5
    status = 502
