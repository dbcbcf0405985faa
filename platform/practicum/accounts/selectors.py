"""Questions about accounts."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from practicum.accounts.models import Role, User
from practicum.errors import NotFound


def username_of(account: str) -> str:
    """The username of what was typed at sign-in: an e-mail address is looked up, anything else is taken as it is.

    An address nobody has is returned unchanged, so that the password check takes as long as for one that exists.
    """
    typed = account.strip()
    if "@" not in typed:
        return typed.lower()
    found = User.objects.filter(email__iexact=typed).values_list("username", flat=True).first()
    return found or typed


def has_account(email: str) -> bool:
    """Somebody has an account with this address, in any case of letters."""
    return User.objects.filter(email__iexact=email.strip()).exists()


def accounts_matching(*, text: str = "", role: str = "", is_active: bool | None = None) -> QuerySet[User]:
    """Accounts by name, for admins: each word of ``text`` is part of name, username or address; the rest narrows down."""
    rows = User.objects.order_by("name", "pk")
    for word in text.split():
        rows = rows.filter(Q(name__icontains=word) | Q(username__icontains=word) | Q(email__icontains=word))
    if role in Role.values:
        rows = rows.filter(role=role)
    return rows if is_active is None else rows.filter(is_active=is_active)


def account_by_id(account_id: int) -> User:
    """The account, for admins.

    Raises:
        NotFound: there is none.
    """
    user = User.objects.filter(pk=account_id).first()
    if user is None:
        raise NotFound("There is no such account.")
    return user
