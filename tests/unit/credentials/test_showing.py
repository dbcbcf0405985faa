"""Who sees a certificate, what of it, and what the public page says of one that was forged."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from practicum.audit.models import Record
from practicum.credentials import rules, services, signing
from practicum.credentials.models import Certificate
from practicum.credentials.offline import verifier
from practicum.errors import Conflict, Forbidden, Invalid, NotFound
from practicum.internships.services import complete_internship

FILES = ("document", "pdf", "bundle")
SECRETS = {"score": "0.961", "rubric": "method", "mentor": "Mira Mentor", "code": "sha256:00000", "report": "report.md"}


def path(name: str, row: Certificate) -> str:
    return reverse(f"credentials:{name}", args=[row.pk])


def status_of(client: Client, address: str) -> int:
    """The status; a file that is sent is read to its end, which closes it."""
    answer = client.get(address)
    if answer.streaming:
        list(answer)
    return int(answer.status_code)


@pytest.fixture
def shown(certificate: Certificate, intern: Any, now: Any) -> Callable[..., Certificate]:
    """``shown("link", "score")``: the intern shows these parts to whoever has the address."""

    def choose(visibility: str, *parts: str) -> Certificate:
        return services.choose(certificate, actor=intern, visibility=visibility, parts=parts, now=now)

    return choose


def test_a_certificate_is_private_until_its_intern_says_otherwise(
    certificate: Certificate, client_of: Any, intern: Any, mentor: Any, admin: Any, peer: Any, other_mentor: Any
) -> None:
    for name in ("certificate", *FILES):
        for person in (intern, mentor, admin):
            assert status_of(client_of(person), path(name, certificate)) == 200, (name, person)
        for client in (Client(), client_of(peer), client_of(other_mentor)):
            assert status_of(client, path(name, certificate)) == 404, name


def test_a_private_certificate_answers_like_one_that_is_not_there(certificate: Certificate) -> None:
    private, missing = (Client().get(reverse("credentials:certificate", args=[pk])) for pk in (certificate.pk, uuid4()))

    assert private.status_code == missing.status_code == 404
    assert private.content.replace(str(certificate.pk).encode(), b"") == missing.content.replace(
        missing.wsgi_request.path.split("/")[2].encode(), b""
    )


@pytest.mark.parametrize("part", list(rules.PARTS))
def test_a_part_that_is_not_shown_is_in_nothing_that_others_can_open(
    shown: Callable[..., Certificate], part: str
) -> None:
    row = shown("link", *[name for name in rules.PARTS if name != part])
    page, document = (Client().get(path(name, row)) for name in ("certificate", "document"))
    record = json.loads(document.content)["credentialSubject"]["record"]

    assert not set(rules.FACTS_OF_PARTS[part]) & set(record)
    assert SECRETS[part].encode() not in document.content
    if part not in ("report", "rubric"):
        assert SECRETS[part].encode() not in page.content
    assert verifier.verify(json.loads(document.content), profile=signing.profile()).is_valid


def test_the_code_is_given_only_where_it_is_shown(
    shown: Callable[..., Certificate], client_of: Any, mentor: Any
) -> None:
    row = shown("link", "score")

    assert status_of(Client(), path("bundle", row)) == 404
    assert status_of(client_of(mentor), path("bundle", row)) == 200


def test_the_intern_can_look_at_it_as_others_see_it(
    shown: Callable[..., Certificate], client_of: Any, intern: Any, certificate: Certificate
) -> None:
    mine = client_of(intern)
    assert mine.get(path("certificate", certificate) + "?as=others").status_code == 404
    row = shown("link", "score")

    assert b"Mira Mentor" in mine.get(path("certificate", row)).content
    assert b"Mira Mentor" not in mine.get(path("certificate", row) + "?as=others").content


def test_only_the_intern_decides_and_it_is_on_record(
    certificate: Certificate, mentor: Any, admin: Any, peer: Any, intern: Any, client_of: Any, now: Any
) -> None:
    for other in (mentor, admin, peer):
        with pytest.raises(NotFound):
            services.choose(certificate, actor=other, visibility="listed", parts=[], now=now)
        assert client_of(other).post(path("show", certificate), {"visibility": "listed"}).status_code == 404
    client_of(intern).post(path("show", certificate), {"visibility": "link", "parts": ["score", "mentor"]})

    certificate.refresh_from_db()
    assert (certificate.visibility, certificate.parts) == ("link", ["score", "mentor"])
    assert Record.objects.filter(verb="certificate.shown", actor=intern).count() == 1


def test_an_unknown_choice_is_refused_and_changes_nothing(
    certificate: Certificate, intern: Any, client_of: Any, now: Any
) -> None:
    with pytest.raises(Invalid):
        services.choose(certificate, actor=intern, visibility="listed", parts=["secret"], now=now)
    answer = client_of(intern).post(path("show", certificate), {"visibility": "everybody", "parts": ["score"]})

    certificate.refresh_from_db()
    assert answer.status_code == 400
    assert certificate.visibility == "private"


def test_fields_that_are_not_asked_for_are_ignored(certificate: Certificate, intern: Any, client_of: Any) -> None:
    sent = {"visibility": "private", "parts": [], "state": "revoked", "facts": "{}", "internship": "99"}
    before = certificate.facts

    client_of(intern).post(path("show", certificate), sent)

    certificate.refresh_from_db()
    assert (certificate.state, certificate.facts) == ("issued", before)


def test_only_an_admin_revokes_with_a_reason_and_only_once(
    certificate: Certificate, admin: Any, mentor: Any, intern: Any, now: Any
) -> None:
    with pytest.raises(Forbidden):
        services.revoke(certificate, actor=mentor, reason="No.", now=now)
    with pytest.raises(Invalid):
        services.revoke(certificate, actor=admin, reason="  ", now=now)
    services.revoke(certificate, actor=admin, reason="The work was another's.", now=now)
    with pytest.raises(Conflict):
        services.revoke(certificate, actor=admin, reason="Again.", now=now)

    assert Record.objects.get(verb="certificate.revoked").facts == {"reason": "The work was another's."}


def test_a_revoked_certificate_is_revoked_in_the_signed_list_on_its_page_and_when_it_is_checked(
    shown: Callable[..., Certificate], admin: Any, client_of: Any, now: Any
) -> None:
    row = shown("link", "score")
    document = json.loads(Client().get(path("document", row)).content)
    listed = {"list": Client().get(reverse("credentials:revoked")).content}

    def fetch(address: str) -> bytes:
        assert address == signing.absolute("revoked")
        return bytes(listed["list"])

    assert verifier.verify(document, profile=signing.profile(), fetch=fetch).outcome == "valid"
    client_of(admin).post(path("revoke", row), {"reason": "The work was another's."})
    listed["list"] = Client().get(reverse("credentials:revoked")).content

    assert verifier.verify(document, profile=signing.profile(), fetch=fetch).outcome == "revoked"
    assert b"The work was another" in Client().get(path("certificate", row)).content
    assert "Revoked" in checked(json.dumps(document))


def checked(content: str) -> str:
    """What the public page says of this file."""
    file = SimpleUploadedFile("credential.json", content.encode())
    answer = Client().post(reverse("credentials:check"), {"file": file})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_the_public_page_knows_a_genuine_file_and_one_with_a_better_score(shown: Callable[..., Certificate]) -> None:
    row = shown("listed", *rules.PARTS)
    document = json.loads(Client().get(path("document", row)).content)
    forged = copy.deepcopy(document)
    forged["credentialSubject"]["record"]["score"]["value"] = 0.999

    assert "Genuine" in checked(json.dumps(document))
    page = checked(json.dumps(forged))
    assert "Forged" in page
    assert "credentialSubject.record.score.value" in page
    assert "0.999" in page
    assert "0.961" in page


def test_of_a_private_certificate_a_forged_file_learns_nothing(certificate: Certificate, now: Any) -> None:
    forged = signing.document_of(certificate, parts=["score"], now=now)
    forged["credentialSubject"]["record"]["score"]["value"] = 0.999

    page = checked(json.dumps(forged))

    assert "Forged" in page
    assert "0.961" not in page
    assert path("certificate", certificate) not in page


def test_of_parts_that_are_not_shown_a_forged_file_learns_nothing(shown: Callable[..., Certificate], now: Any) -> None:
    row = shown("link", "code")
    forged = signing.document_of(row, parts=rules.PARTS, now=now)
    forged["credentialSubject"]["record"]["score"]["value"] = 0.5
    forged["credentialSubject"]["record"]["mentor"] = "Nobody"

    page = checked(json.dumps(forged))

    assert "Forged" in page
    assert "Mira Mentor" not in page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Choose a file"),
        ("no json", "Not a certificate"),
        ("[]", "Not a certificate"),
        ("[" * 90_000, "Not a certificate"),
    ],
)
@pytest.mark.django_db
def test_a_file_that_is_none_is_told_so(content: str, said: str) -> None:
    file = BytesIO(content.encode())
    file.name = "credential.json"
    answer = Client().post(reverse("credentials:check"), {"file": file})

    assert answer.status_code in (200, 400)
    assert said in answer.content.decode() or "empty" in answer.content.decode()


def test_a_certificate_is_found_by_its_address_if_it_is_shown(
    shown: Callable[..., Certificate], certificate: Certificate
) -> None:
    def say(address: str) -> str:
        return Client().post(reverse("credentials:check"), {"address": address}).content.decode()

    address = signing.absolute("certificate", certificate.pk)
    assert "no certificate at this address" in say(address)
    shown("link")

    assert "Genuine" in say(address)
    assert "no address of a certificate of this site" in say(address.replace("http://", "http://evil.example/"))
    assert "no address of a certificate of this site" in say("https://practicum.example.org/")


def test_what_a_forged_file_writes_is_never_markup(shown: Callable[..., Certificate]) -> None:
    row = shown("link")
    forged = json.loads(Client().get(path("document", row)).content)
    forged["name"] = "<script>alert(1)</script>"

    assert "<script>alert(1)" not in checked(json.dumps(forged))


def test_a_hostile_report_is_shown_without_its_markup(shown: Callable[..., Certificate], accepted: Any) -> None:
    hostile = (
        "<script>alert(1)</script> [x](javascript:alert(2)) <img src=x onerror=alert(3)> ![p](https://evil.example/p)"
    )
    (accepted.folder / "report.md").write_text(hostile)
    row = shown("link", "report")

    page = Client().get(path("certificate", row)).content.decode()

    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "<img src=x" not in page
    assert "evil.example/p" not in page.replace("&lt;", "")


def test_the_portfolio_is_there_when_its_intern_says_so_with_what_they_listed(
    shown: Callable[..., Certificate], client_of: Any, intern: Any, mentor: Any
) -> None:
    address = reverse("credentials:portfolio", args=[intern.username])
    mine = client_of(intern)
    row = shown("link", "score")
    assert Client().get(address).status_code == 404
    mine.post(reverse("credentials:own_portfolio"), {"headline": "I count pixels", "words": "**Hello**"})
    assert Client().get(address).status_code == 404
    mine.post(
        reverse("credentials:own_portfolio"), {"headline": "I count pixels", "words": "**Hello**", "is_public": "on"}
    )

    page = Client().get(address).content.decode()
    assert "I count pixels" in page
    assert "<strong>Hello</strong>" in page
    assert path("certificate", row) not in page
    shown("listed", "score")
    page = Client().get(address).content.decode()
    assert path("certificate", row) in page
    assert "Mira Mentor" not in page
    assert Client().get(reverse("credentials:portfolio", args=[mentor.username])).status_code == 404


def test_a_revoked_certificate_leaves_the_portfolio(
    shown: Callable[..., Certificate], admin: Any, intern: Any, now: Any
) -> None:
    services.keep_portfolio(intern, is_public=True, headline="", words="", now=now)
    row = shown("listed")
    services.revoke(row, actor=admin, reason="x", now=now)

    page = Client().get(reverse("credentials:portfolio", args=[intern.username])).content.decode()
    assert path("certificate", row) not in page


def test_lists_show_each_person_theirs_with_a_fixed_number_of_queries(
    certificate: Certificate, client_of: Any, intern: Any, mentor: Any, admin: Any, peer: Any, other_mentor: Any,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    address, row = reverse("credentials:certificates"), path("certificate", certificate)
    for person in (intern, mentor, admin):
        client = client_of(person)
        with django_assert_max_num_queries(8):
            assert row in client.get(address).content.decode()
    for person in (peer, other_mentor):
        assert row not in client_of(person).get(address).content.decode()


def test_a_certificate_with_an_address_is_kept_out_of_search_engines_and_a_listed_one_is_not(
    shown: Callable[..., Certificate],
) -> None:
    assert Client().get(path("certificate", shown("link"))).headers["X-Robots-Tag"] == "noindex"
    assert "X-Robots-Tag" not in Client().get(path("certificate", shown("listed"))).headers


def test_the_document_is_an_open_badge_with_results_and_a_status(shown: Callable[..., Certificate]) -> None:
    document = json.loads(Client().get(path("document", shown("link", "score", "rubric"))).content)
    subject = document["credentialSubject"]

    assert document["type"] == ["VerifiableCredential", "OpenBadgeCredential"]
    assert [result["value"] for result in subject["result"]] == ["0.961", "4", "3"]
    assert {one["id"] for one in subject["achievement"]["resultDescription"]} == {
        result["resultDescription"] for result in subject["result"]
    }
    assert document["credentialStatus"]["type"] == "BitstringStatusListEntry"
    assert document["proof"]["cryptosuite"] == "eddsa-jcs-2022"


def test_while_it_is_prepared_its_page_says_what_it_waits_for_and_others_see_nothing(
    completed: Any, client_of: Any, intern: Any, mentor: Any, peer: Any, engine: Any, now: Any
) -> None:
    completed.version.manifest["split"] = {"shown": 0.5}
    completed.version.save()
    completed.cohort.ends_on = date(2100, 1, 1)
    completed.cohort.save()
    row = services.begin(completed, now=now)

    page = client_of(intern).get(path("certificate", row)).content.decode()
    assert "being prepared" in page
    assert "closes on 2 January 2100" in page
    assert "Issue it before that" not in page
    assert "Issue it before that" in client_of(mentor).get(path("certificate", row)).content.decode()
    assert client_of(peer).get(path("certificate", row)).status_code == 404
    assert client_of(intern).get(path("document", row)).status_code == 404
    assert client_of(mentor).post(path("early", row)).status_code == 302
    row.refresh_from_db()
    assert row.may_be_early


def test_homes_and_the_internships_page_lead_to_it(
    certificate: Certificate, client_of: Any, intern: Any, mentor: Any
) -> None:
    internship = reverse("portal:internship", args=[certificate.internship_id])

    assert path("certificate", certificate) in client_of(intern).get(reverse("portal:home")).content.decode()
    assert path("certificate", certificate) in client_of(mentor).get(internship).content.decode()


def test_a_certificate_without_any_work_can_be_read(
    internship: Any, mentor: Any, intern: Any, issue: Callable[..., Certificate], client_of: Any, now: Any
) -> None:
    complete_internship(internship, actor=mentor, now=now)
    internship.refresh_from_db()
    row = issue(internship, now=now)
    mine = client_of(intern)

    assert "nothing that was handed in was scored" in mine.get(path("certificate", row)).content.decode()
    assert mine.get(path("pdf", row)).content.startswith(b"%PDF-")
    assert mine.get(path("bundle", row)).status_code == 404
