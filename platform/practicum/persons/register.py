"""What is kept about a person, field by field, and what becomes of it when their data are deleted, and why.

A *line* names fields of a model and, by ``of``, the way from one of its rows to the person. ``delete``: those rows go;
``anonymise``: the fields are emptied, or say ``GONE`` where others would otherwise read an empty box; ``keep``: they stay,
and point to an account without a name. A line without ``of`` is carried out by a program of its own (:mod:`.erasing`,
:mod:`.naming`). A test walks every model and fails where a field that points to an account, or a text of a model that does,
is in no line. The order is that of the deletion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GONE = "Deleted with the account of the person it was by or about."


class What(StrEnum):
    """What becomes of it."""

    DELETE = "delete"
    ANONYMISE = "anonymise"
    KEEP = "keep"


@dataclass(frozen=True)
class Line:
    """Fields with the same fate. ``told`` names them for the person; ``says``: what is written in their place."""

    told: str
    model: str
    fields: tuple[str, ...]
    what: What
    why: str
    of: str = ""
    says: str = ""


def _line(told: str, model: str, fields: str, what: str, why: str, *, of: str = "", says: str = "") -> Line:
    return Line(told, model, tuple(fields.split()), What(what), why, of, says)


OF_WORK = "submission__internship__intern"
OF_INTERNSHIP = "internship__intern"
THEIRS = "It is about one person alone."
POINTS_ON = "Others' work refers to it; it points to an account without a name."
COUNTS_ON = "What was used and by how many stays countable; it points to an account without a name."

LINES: tuple[Line, ...] = (
    # --- The account ---
    _line(
        "Name, username, e-mail address, password", "accounts.User",
        "username email name password uuid last_login is_active must_choose_password must_leave_hub deleted_at", "anonymise",
        "The account stays as a number, “Former intern 12”, so that what points to it has something to point to.",
    ),
    _line("How notices are told", "accounts.NoticeSettings", "user webhook_url", "delete", THEIRS, of="user"),
    _line("Which kinds of notices were chosen", "accounts.NoticeChoice", "user kind", "delete", THEIRS, of="user"),
    _line("Notices", "accounts.Notice", "user kind subject body path key", "delete", THEIRS, of="user"),
    _line("How notices were sent", "accounts.Delivery", "last_error", "delete", THEIRS, of="notice__user"),
    _line(
        "What others were told in the person's words", "accounts.Notice", "subject body", "delete",
        "Messages, requests and answers repeat what somebody wrote.",
    ),
    _line("Daily mails", "digests.Digest", "user subject body last_error", "delete", THEIRS, of="user"),
    *(
        _line("Sign-ins at the notebook hub", f"oauth2_provider.{model}", f"user {fields}", "delete", THEIRS, of="user")
        for model, fields in (
            ("Grant", "code redirect_uri scope code_challenge nonce claims resource"),
            ("RefreshToken", "token token_checksum resource"),
            ("AccessToken", "token token_checksum scope resource"),
            ("IDToken", "scope"),
            ("DeviceGrant", "device_code user_code scope client_id"),
        )
    ),
    _line(
        "The hub as a client of the sign-in", "oauth2_provider.Application",
        "user client_id redirect_uris post_logout_redirect_uris client_secret name allowed_origins", "keep",
        "It is the site's own and belongs to nobody.",
    ),
    _line(
        "Second factor and recovery codes, encrypted", "mfa.Authenticator", "user type data", "delete", THEIRS, of="user",
    ),
    _line(
        "Which providers open the account, and as whom they know the person", "socialaccount.SocialAccount",
        "user provider uid extra_data", "delete", THEIRS, of="user",
    ),
    *(
        _line("Nothing: sign-in by providers keeps no more", model, fields, "delete", "Rows are never made.", of=of)
        for model, fields, of in (
            ("socialaccount.SocialToken", "token token_secret", "account__user"),
            ("account.EmailAddress", "user email", "user"),
            ("account.EmailConfirmation", "key", "email_address__user"),
        )
    ),
    # --- Coming in ---
    _line(
        "Invitations by mail", "internships.Invitation", "email", "anonymise",
        "That somebody was invited stays, to no address.",
    ),
    _line("Who invited, and who came", "internships.Invitation", "invited_by used_by", "keep", POINTS_ON, of="invited_by"),
    _line(
        "Applications: background, hardware, wishes, projects; the reason of a refusal", "internships.Application",
        "background hardware_note wishes_note wishes prerequisites ranking reason", "anonymise", THEIRS, of="applicant",
    ),
    _line(
        "Applications: that there was one, when, and what became of it", "internships.Application",
        "applicant withdrawn_from", "keep", "A cohort's places and its waiting list stay countable.", of="applicant",
    ),
    _line(
        "The order in which a mentor would take applicants", "internships.MentorRanking", "mentor ranked", "delete", THEIRS,
        of="mentor",
    ),
    _line(
        "Projects offered with this mentor", "internships.Offer", "mentor", "keep",
        "Placements refer to them; in cohorts that are not over they are withdrawn.", of="mentor",
    ),
    _line(
        "Readiness checks: what was reached on each bar", "internships.BarsReached", "values", "delete", THEIRS,
        of="attempt__application__applicant",
    ),
    _line("Who added a readiness check to a cohort", "internships.CohortCheck", "added_by", "keep", POINTS_ON, of="added_by"),
    # --- Internships ---
    _line(
        "Internships: cohort, project, days, state", "internships.Internship", "intern mentor", "keep",
        "Scores, reviews and others' places refer to them.", of="intern",
    ),
    _line(
        "Internships as a mentor", "internships.Internship", "mentor", "keep",
        "They are the interns'.", of="mentor",
    ),
    _line(
        "Milestones and when they were reached", "internships.Milestone", "title evidence", "keep",
        "The words are the project's.", of=OF_INTERNSHIP,
    ),
    _line(
        "Check-ins of internships as an intern, by both sides", "internships.CheckIn", "author went following stuck", "delete",
        "They are about one person.", of=OF_INTERNSHIP,
    ),
    _line(
        "Check-ins written as a mentor", "internships.CheckIn", "went following stuck", "anonymise",
        "That one was written stays; what it said goes.", of="author", says=GONE,
    ),
    *(
        _line(
            "Requests: the reasons given", "internships.Change", "reason", "anonymise",
            "What was agreed on stays, with its days; why goes.", of=way, says=GONE,
        )
        for way in (OF_INTERNSHIP, "asked_by")
    ),
    *(
        _line(
            "Requests: the words of the answers", "internships.Change", "answer", "anonymise",
            "That it was agreed to or refused stays; the words go.", of=way,
        )
        for way in (OF_INTERNSHIP, "answered_by")
    ),
    _line("Who asked, and who answered", "internships.Change", "asked_by mentor answered_by", "keep", POINTS_ON, of="asked_by"),
    # --- Notebooks and GPUs ---
    _line(
        "Help asked for in a running notebook: what it was about, why it ended", "workspaces.HelpRequest", "topic reason",
        "anonymise", "That there was one, with whom and how long, stays.", of="session__user", says=GONE,
    ),
    _line(
        "Notebooks shown to a mentor who helps", "workspaces.HelpNotebook", "path digest", "delete", THEIRS,
        of="request__session__user",
    ),
    _line(
        "Who was asked for help, and who ended it", "workspaces.HelpRequest", "mentor ended_by", "keep", POINTS_ON, of="mentor"
    ),
    _line("Copies to be unpacked", "workspaces.Restoration", "user folder message", "delete", THEIRS, of="user"),
    _line(
        "Snapshots of files, with the archives", "workspaces.Snapshot", "reason digest message", "delete", THEIRS,
        of=OF_INTERNSHIP,
    ),
    _line("On which server the files are", "workspaces.Home", "user server", "delete", THEIRS, of="user"),
    _line(
        "How much room the files take, and which most", "workspaces.HomeSize", "user largest session", "delete", THEIRS,
        of="user",
    ),
    _line("Passes of notebooks", "workspaces.WorkspaceToken", "digest", "delete", THEIRS, of="session__user"),
    _line("What notebooks told of their work", "workspaces.ActivityReport", "session", "delete", THEIRS, of="session__user"),
    _line(
        "Timelines of notebooks", "workspaces.SessionEvent", "state message", "delete", THEIRS, of="session__user"
    ),
    _line(
        "Notebook sessions: when, how long, the last commit by then, how they ended", "workspaces.Session",
        "user committed_at reason", "keep", COUNTS_ON, of="user",
    ),
    _line("Samples of what ran on slots", "gpus.LeaseSample", "lease", "delete", THEIRS, of="lease__user"),
    _line(
        "Leases: which slot, when, how much it was used", "gpus.Lease", "user reason container", "keep",
        COUNTS_ON, of="user",
    ),
    _line("The address of the calendar of reservations", "gpus.ReservationFeed", "user", "delete", THEIRS, of="user"),
    _line(
        "What reservations were wanted for", "gpus.Reservation", "purpose", "anonymise",
        "The slots stay the cohort's; the words go.", of="requested_by",
    ),
    *(
        _line(
            "What was said to a reservation", "gpus.Reservation", "answer", "anonymise",
            "Granted or refused stays; the words go.", of=way,
        )
        for way in ("requested_by", "decided_by")
    ),
    _line(
        "Who asked for a reservation, and who decided", "gpus.Reservation", "requested_by decided_by", "keep", POINTS_ON,
        of="requested_by",
    ),
    _line(
        "Plans: other quotas that were replayed", "gpus.Plan", "asked_by question reason result", "keep",
        "They hold quotas and sums, no words of a person.", of="asked_by",
    ),
    _line(
        "Tokens of servers, and who made them", "gpus.AgentToken", "made_by digest", "keep",
        "The servers go on reporting with them.", of="made_by",
    ),
    # --- Work ---
    *(
        _line(
            "Passages of code like somebody else's", "submissions.Likeness", "passages", "delete",
            "They quote the code.", of=f"{side}__{OF_INTERNSHIP}",
        )
        for side in ("first", "second")
    ),
    _line(
        "Files that were handed in, with their names", "submissions.Submission", "files notebook", "anonymise",
        "The work is its author's. What a kept certificate is about stays with it, and files that somebody else handed in too.",
    ),
    _line(
        "Submissions: number, time, size, digest", "submissions.Submission", "digest", "keep",
        "Scores, places on a board and reviews refer to it.", of=OF_INTERNSHIP,
    ),
    _line(
        "What code printed, what came out of a notebook, why a run ended", "evaluation.Run",
        "reason log_tail executed reproduction", "anonymise", "It comes from the person's code.", of=OF_WORK,
    ),
    _line("Timelines of runs", "evaluation.RunEvent", "state message", "delete", THEIRS, of=f"run__{OF_WORK}"),
    _line(
        "Runs: when, how long, on what", "evaluation.Run", "worker curve evaluate_digest requested_by", "keep", COUNTS_ON,
        of=OF_WORK,
    ),
    _line("Runs asked for, of others' work too", "evaluation.Run", "requested_by", "keep", POINTS_ON, of="requested_by"),
    _line(
        "Scores", "evaluation.Score", "metrics shown_metrics", "keep",
        "Others' places on the board are counted beside them; the board shows no name.", of=f"run__{OF_WORK}",
    ),
    _line(
        "Scores of each seed", "evaluation.SeedResult", "metrics shown_metrics", "keep",
        "They belong to the score.", of=f"run__{OF_WORK}",
    ),
    # --- Reviews ---
    _line("Drafts at the desk", "reviews.Draft", "mentor fields", "delete", THEIRS, of="mentor"),
    _line("Drafts about the person's work", "reviews.Draft", "fields", "delete", THEIRS, of=OF_WORK),
    *(
        _line(
            told, "reviews.Comment", "body", "anonymise", "That a thread was there stays; what it said goes.", of=way, says=GONE
        )
        for told, way in (("Comments written", "author"), ("Comments on the person's work", OF_WORK))
    ),
    _line("Who wrote a comment, and on which cell", "reviews.Comment", "author cell_id", "keep", POINTS_ON, of="author"),
    _line(
        "What reviews of the person's work said", "reviews.Review", "summary", "anonymise", "It is about one person.",
        of=OF_WORK,
    ),
    _line(
        "Decisions and points on the person's work", "reviews.Review", "rubric", "keep",
        "They are the mentor's answer, and counted among the mentor's.", of=OF_WORK,
    ),
    _line(
        "Reviews written: decision, points, summary", "reviews.Review", "mentor rubric summary", "keep",
        "They are the result of somebody else's work.", of="mentor",
    ),
    _line(
        "Who put a comment into a project's bank", "reviews.Snippet", "kept_by", "anonymise",
        "The bank does not say any more who did.", of="kept_by",
    ),
    _line(
        "Comments in projects' banks", "reviews.Snippet", "rubric_item body digest", "keep",
        "They are the project's, for all its mentors.",
    ),
    _line("Minutes at the desk", "reviews.DeskVisit", "mentor", "delete", THEIRS, of="mentor"),
    # --- Certificates ---
    _line("Portfolio", "credentials.Portfolio", "user headline words", "delete", THEIRS, of="user"),
    _line(
        "Signed documents of certificates", "credentials.SignedDocument", "parts document", "delete",
        "They name the person. Kept, where that was chosen.",
    ),
    _line(
        "What certificates say", "credentials.Certificate", "facts replay parts revoked_because", "anonymise",
        "They are revoked, so that nobody relies on what can't be read any more. Kept, where that was chosen.",
    ),
    # --- The record ---
    _line(
        "What was done, when, to what", "audit.Record", "actor verb object_type object_id", "keep",
        "Who did what must stay provable; the doer is an account without a name.", of="actor",
    ),
    _line(
        "Names and words in the record", "audit.Record", "facts", "anonymise",
        "The name becomes the account's new one; reasons and messages go.",
    ),
    _line(
        "Versions of projects, and who published them", "catalog.ProjectVersion",
        "published_by digest manifest image check_lines", "keep",
        "They are the project's; submissions are pinned to them.", of="published_by",
    ),
    _line(
        "That this deletion was asked for and done", "persons.Deletion", "user asked_by taken_back_by waits_for", "keep",
        "That it was done must stay provable.", of="user",
    ),
    _line(
        "For how long a cohort's files are kept, and who said so", "persons.Retention", "set_by", "keep", POINTS_ON,
        of="set_by",
    ),
)  # fmt: skip
