"""Who may do what, as one table that people read. A test holds every line of it against what each address answers.

*Own*: an intern's own work, the work of a mentor's interns, what they asked for themselves. Roles are never taken from
anything a person sends; a page that is not for somebody answers as if it did not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

NO, OWN, ALL = "no", "own", "all"
WORDS = {NO: "–", OWN: "own", ALL: "yes"}


@dataclass(frozen=True)
class Rule:
    """One thing to do, and for whom; ``views`` are the addresses that do it, as GET, or as POST with ``+`` before."""

    what: str
    views: tuple[str, ...]
    intern: str
    mentor: str
    admin: str


def _rule(what: str, who: str, *views: str) -> Rule:
    intern, mentor, admin = who.split()
    return Rule(what, views, intern, mentor, admin)


AREAS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    (
        "Work and scores",
        (
            _rule("Read an internship, its milestones and scores", "own own all", "portal:internship"),
            _rule(
                "Mark milestones reached, complete an internship", "no own all",
                "+portal:milestone", "+portal:complete_internship",
            ),
            _rule(
                "Read a submission, its files, rendered notebook and timeline", "own own all",
                "portal:submission", "portal:submission_live", "submissions:file", "reviews:notebook",
            ),
            _rule("List one's own submissions", "all no no", "portal:submissions"),
            _rule("Hand in", "all no no", "evaluation:upload", "+evaluation:upload"),
            _rule("Take back a run", "own own all", "+evaluation:cancel"),
            _rule("Have work run or scored again", "no own all", "+evaluation:rerun", "+evaluation:rescore"),
            _rule("See likenesses between two interns' work", "no own all", "submissions:likeness"),
            _rule("Read the leaderboard", "all all all", "evaluation:leaderboard"),
            _rule("Choose the submission that counts", "own no no", "+evaluation:choose"),
            _rule(
                "Close a leaderboard, hide names, release final scores, take it away as CSV", "no own all",
                "+evaluation:close_board", "+evaluation:board_names", "+evaluation:release_board", "evaluation:board_csv",
            ),
            _rule(
                "Read projects, and the notebooks that help against gaps", "all all all",
                "catalog:projects", "catalog:project", "reviews:remedy",
            ),
        ),
    ),
    (
        "Review",
        (
            _rule("See the desk of a submission", "own own all", "reviews:desk"),
            _rule("Write and answer comments", "own own no", "+reviews:comment"),
            _rule(
                "Decide, take a decision back, settle a thread", "no own no",
                "+reviews:decide", "+reviews:undo", "+reviews:resolve",
            ),
            _rule("Use the inbox of reviews", "no all no", "reviews:inbox"),
            _rule(
                "Keep drafts, use the project's bank of comments, have minutes at the desk counted", "no own no",
                "+reviews:draft", "+reviews:keep_snippet", "+reviews:use_snippet", "+reviews:use_own_snippet",
                "+reviews:forget_snippet", "+reviews:tell_minutes",
            ),
            _rule("See minutes of all mentors and hours waited", "no no all", "reviews:minutes"),
        ),
    ),
    (
        "Certificates",
        (
            _rule("List the certificates one may read", "all all all", "credentials:certificates"),
            _rule(
                "Read all of a certificate, take it as a document, PDF or bundle", "own own all",
                "credentials:certificate", "credentials:document", "credentials:pdf", "credentials:bundle",
            ),
            _rule("Decide who sees a certificate, and what of it", "own no no", "+credentials:show"),
            _rule("Have one issued before final scores are released", "no own all", "+credentials:early"),
            _rule("Revoke a certificate", "no no all", "+credentials:revoke"),
            _rule(
                "Check a certificate, read one that is shown, the issuer's keys and a public portfolio", "all all all",
                "credentials:check", "+credentials:check", "credentials:verifier", "credentials:issuer",
                "credentials:revoked", "credentials:portfolio",
            ),
            _rule("Write a portfolio", "all no no", "credentials:own_portfolio", "+credentials:own_portfolio"),
        ),
    ),
    (
        "Notebooks",
        (
            _rule(
                "Start a notebook, wait in line, leave it, take a slot, work on a CPU meanwhile", "all no no",
                "workspaces:notebook", "workspaces:live", "+workspaces:start", "+workspaces:join", "+workspaces:leave",
                "+workspaces:take", "+workspaces:meanwhile",
            ),
            _rule("Stop a notebook", "all no no", "+workspaces:stop"),
            _rule(
                "Ask for help in one's running notebook, let a mentor work in it or not, end it", "all no no",
                "workspaces:help", "+workspaces:help", "+workspaces:help_allow", "+workspaces:help_refuse",
                "+workspaces:help_end",
            ),
            _rule(
                "Read a running notebook whose intern asked for help, ask to work in it, end it", "no own no",
                "reviews:help", "reviews:help_notebook", "+reviews:help_open", "+reviews:help_hands", "+reviews:help_end",
            ),
            _rule("List snapshots", "all no no", "workspaces:snapshots"),
            _rule(
                "Download or unpack a snapshot of the files", "own no no", "workspaces:snapshot_archive", "+workspaces:restore"
            ),
        ),
    ),
    (
        "GPUs",
        (
            _rule("Ask for a reservation, read the list of them", "no all all", "gpus:new_reservation", "gpus:reservations"),
            _rule("Read or withdraw a reservation", "no own all", "gpus:reservation", "+gpus:withdraw_reservation"),
            _rule("Cancel a reservation", "no own all", "+gpus:cancel_reservation"),
            _rule("Decide on a reservation", "no no all", "+gpus:decide_reservation"),
            _rule("Subscribe to the calendar of reservations", "no all all", "+gpus:renew_reservation_feed"),
            _rule(
                "See GPUs, leases, the line, use over time; take it away", "no no all",
                "gpus:overview", "gpus:live", "gpus:history", "gpus:history_csv", "gpus:history_json", "gpus:estimates",
            ),
            _rule("Change quotas and shared slots", "no no all", "gpus:quotas", "+gpus:quotas", "+gpus:shares"),
            _rule(
                "Plan other quotas", "no no all",
                "gpus:planner", "+gpus:planner", "gpus:plan", "+gpus:plan_again", "+gpus:cancel_plan",
            ),
            _rule("End somebody's session or run", "no no all", "+gpus:end_lease"),
            _rule(
                "Add, drain and give up servers, make and revoke their tokens", "no no all",
                "gpus:servers", "gpus:server", "gpus:new_server", "+gpus:new_server", "+gpus:server_state", "+gpus:give_up",
                "+gpus:new_token", "+gpus:revoke_token",
            ),
        ),
    ),
    (
        "Cohorts and internships",
        (
            _rule("Read the page of a cohort that takes applications", "all all all", "internships:cohort"),
            _rule("Apply, change what was sent", "all no no", "internships:apply"),
            _rule("Take a readiness check; the bars held are seen with the application", "own no no", "+internships:start_check"),
            _rule("Withdraw an application", "own no no", "+internships:withdraw", "+internships:undo_withdrawal"),
            _rule("Rank applicants", "no own no", "internships:ranking", "+internships:ranking"),
            _rule(
                "Check in; ask for more time, a pause, another mentor or an early end, and answer that; read all of it",
                "own own all", "internships:record", "+internships:check_in", "+internships:ask", "+internships:answer",
                "+internships:go_on",
            ),
            _rule("Write to the other side of an internship", "own own all", "+internships:message"),
            _rule("See which interns need attention, and why", "no all all", "portal:attention"),
            _rule("See what works just now", "all all all", "portal:status"),
            _rule(
                "Read applications, take them away, answer them, invite people", "no no all",
                "internships:applications", "internships:application", "internships:applications_csv",
                "+internships:decline", "+internships:offer_place", "internships:invitations", "+internships:invitations",
                "+internships:send_invitation", "+internships:revoke_invitation",
            ),
            _rule(
                "Change a cohort's settings, offers and readiness checks; propose, adjust and confirm a matching", "no no all",
                "internships:settings", "+internships:settings", "+internships:offer", "+internships:withdraw_offer",
                "+internships:set_checks",
                "internships:matching", "+internships:propose", "+internships:adjust", "+internships:confirm",
            ),
            _rule(
                "Set to which chat a cohort's news is posted", "no no all",
                "digests:webhook", "+digests:webhook", "+digests:test_webhook", "+digests:remove_webhook",
            ),
            _rule(
                "Set for how long the files of a cohort that is over are kept", "no no all",
                "persons:retention", "+persons:retention",
            ),
        ),
    ),
    (
        "People",
        (
            _rule("See all people and cohorts", "no no all", "portal:people", "portal:accounts"),
            _rule(
                "Open accounts, reset passwords, switch accounts off", "no no all",
                "portal:new_account", "+portal:new_account", "+portal:reset_account", "+portal:account_active",
                "+portal:reset_factor",
            ),
            _rule("Make cohorts and internships", "no no all", "+portal:new_cohort", "+portal:new_internship"),
            _rule("Change an internship's mentor, end one early", "no no all", "+portal:change_mentor", "+portal:end_internship"),
            _rule(
                "Search the record of who did what, take it away", "no no all",
                "portal:record", "portal:record_csv", "portal:record_json",
            ),
            _rule("Read this table", "all all all", "portal:permissions"),
            _rule(
                "Read one's notices, choose how to be told, change one's password", "all all all",
                "accounts:account", "+accounts:account", "accounts:notices", "+accounts:read_all_notices",
                "+accounts:send_test", "+accounts:renew_secret", "accounts:kinds", "+accounts:kinds",
            ),
            _rule(
                "Add a second factor to one's own sign-in, make recovery codes", "all all all",
                "account_reauthenticate", "+account_reauthenticate", "mfa_index", "mfa_activate_totp", "+mfa_activate_totp",
                "mfa_reauthenticate", "+mfa_reauthenticate", "mfa_generate_recovery_codes", "+mfa_generate_recovery_codes",
            ),
            _rule(
                "Take away all that is kept about oneself, have it deleted, take that back", "all all all",
                "persons:own", "persons:export_own", "+persons:ask_own", "+persons:take_back_own",
            ),
            _rule(
                "The same for somebody else", "no no all",
                "persons:account", "persons:export", "+persons:ask", "+persons:take_back",
            ),
        ),
    ),
)  # fmt: skip
