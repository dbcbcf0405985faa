"""The uploaded zip of a request, read only once its length is known to be within the cap."""

from __future__ import annotations

from typing import BinaryIO, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from practicum.errors import Invalid
from practicum.submissions.errors import SubmissionTooLarge
from practicum.submissions.rules import megabytes

# What a form adds to the file it carries.
AROUND_BYTES = 64 * 1024


def check_length(request: HttpRequest) -> None:
    """The request says how long it is, and that is within the cap. Called before any of it is read.

    Raises:
        SubmissionTooLarge: over the cap.
        Invalid: it does not say.
    """
    length = request.META.get("CONTENT_LENGTH") or ""
    if not str(length).isdigit():
        raise Invalid("Send the zip with a Content-Length.")
    if int(length) > settings.PRACTICUM_SUBMISSION_MAX_BYTES + AROUND_BYTES:
        most = megabytes(settings.PRACTICUM_SUBMISSION_MAX_BYTES)
        raise SubmissionTooLarge(f"The zip is larger than {most} MB, the most that is taken.")


def archive_of(request: HttpRequest) -> BinaryIO:
    """The file in the field ``archive``.

    Raises:
        Invalid: there is none, or the request can't be read to its end.
    """
    try:
        uploaded = request.FILES.get("archive")
    except (MultiPartParserError, UnreadablePostError, SuspiciousOperation) as fault:
        raise Invalid("The upload broke off or is not a form. Nothing was taken; send it once more.") from fault
    if not isinstance(uploaded, UploadedFile):
        raise Invalid("Choose a zip file to hand in.", field="archive")
    return cast("BinaryIO", uploaded.file)
