"""What the race is judged by: a log that triggers write on every change, played back by a referee who trusts nobody.

The log is in the order in which things were done: who gives a slot back writes so before it is free to be seen by others.
The referee counts afresh who holds what, slot by slot, and finds: slots granted twice (I1), slots lost from the sum of what
is free and held (I2), and grants above a cohort's limit, a person's, or into what a cohort never lends, as the quotas were at
that moment (I3).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

LOG = """
create table race_log (
  seq bigserial primary key, kind text not null,
  slot_id bigint, lease_id uuid, cohort_id bigint, user_id bigint, is_borrowed boolean, terms jsonb
);
create function is_live(state text) returns boolean immutable language sql as
  $$ select state in ('granted', 'active', 'draining') $$;
create function log_lease() returns trigger language plpgsql as $$ begin
  if tg_op <> 'INSERT' and is_live(old.state) and (tg_op = 'DELETE' or not is_live(new.state)
     or new.slot_id is distinct from old.slot_id) then
    insert into race_log (kind, slot_id, lease_id, cohort_id, user_id)
      values ('gone', old.slot_id, old.id, old.cohort_id, old.user_id);
  end if;
  if tg_op <> 'DELETE' and is_live(new.state) and (tg_op = 'INSERT' or not is_live(old.state)
     or new.slot_id is distinct from old.slot_id) then
    insert into race_log (kind, slot_id, lease_id, cohort_id, user_id, is_borrowed)
      values ('live', new.slot_id, new.id, new.cohort_id, new.user_id, new.is_borrowed);
  end if;
  return null;
end $$;
create function log_quota() returns trigger language plpgsql as $$ begin
  insert into race_log (kind, cohort_id, terms) values ('quota', new.cohort_id, to_jsonb(new));
  return null;
end $$;
create trigger log_new after insert or delete on gpus_lease for each row execute function log_lease();
create trigger log_moved after update of state, slot_id on gpus_lease for each row execute function log_lease();
create trigger log_quota after insert or update on gpus_quota for each row execute function log_quota();
"""
READ = (
    "select seq, kind, slot_id, lease_id, cohort_id, user_id, is_borrowed, terms from race_log "
    "where seq > %s order by seq"
)

Entry = tuple[int, str, int, Any, int, int, bool, str]


@dataclass
class Referee:
    """Who holds what, as the log says; ``found`` counts what must not be, ``told`` are the first of them in words."""

    inventory: int
    holder: dict[int, Any] = field(default_factory=dict)
    held: Counter[int] = field(default_factory=Counter)
    leases_of: Counter[tuple[int, int]] = field(default_factory=Counter)
    terms: dict[int, dict[str, Any]] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    grants: int = 0
    last: int = 0

    def fold(self, entries: Iterable[Entry]) -> None:
        """Go on with what was logged since."""
        for seq, kind, slot, lease, cohort, user, is_borrowed, terms in entries:
            self.last = seq
            if kind == "quota":
                self.terms[cohort] = json.loads(terms)
            elif kind == "gone":
                self._ends(slot, lease, cohort, user)
            else:
                self._begins(slot, lease, cohort, user)
                self._judge(cohort, user, is_borrowed=is_borrowed)

    def count_rows(self, slots: Sequence[tuple[int, Any]]) -> None:
        """``slots``: each slot of the inventory with its live lease or None, as the rows are. Nobody writes meanwhile."""
        if len({slot for slot, _ in slots}) != self.inventory or len(slots) != self.inventory:
            self._tell("lost", f"{len(slots)} rows of {self.inventory} slots")
        held = {slot: lease for slot, lease in slots if lease is not None}
        if held != self.holder:
            self._tell("lost", f"the rows say {len(held)} slots are held, the log {len(self.holder)}")

    def _ends(self, slot: int, lease: Any, cohort: int, user: int) -> None:
        if self.holder.get(slot) == lease:
            del self.holder[slot]
        self.held[cohort] -= 1
        self.leases_of[cohort, user] -= 1

    def _begins(self, slot: int, lease: Any, cohort: int, user: int) -> None:
        if slot in self.holder:
            self._tell("double", f"slot {slot} was given to {lease} while {self.holder[slot]} held it")
        self.holder[slot] = lease
        self.held[cohort] += 1
        self.leases_of[cohort, user] += 1
        self.grants += 1

    def _judge(self, cohort: int, user: int, *, is_borrowed: bool) -> None:
        terms = self.terms[cohort]
        limit, own = terms["borrowing_limit"], terms["per_intern"]
        if limit is not None and self.held[cohort] > terms["guaranteed"] + limit:
            self._tell("above", f"cohort {cohort} holds {self.held[cohort]}, at most {terms['guaranteed'] + limit}")
        if own is not None and self.leases_of[cohort, user] > own:
            self._tell("above", f"person {user} holds {self.leases_of[cohort, user]}, at most {own}")
        if is_borrowed:
            taken = sum(max(self.held[other], never_lent(self.terms[other])) for other in self.terms)
            if taken > self.inventory:
                self._tell("above", f"cohort {cohort} was lent what is never lent: {taken} of {self.inventory}")

    def _tell(self, kind: str, words: str) -> None:
        self.found[kind] += 1
        if len(self.told) < 20:
            self.told.append(words)


def never_lent(terms: dict[str, Any]) -> int:
    """The part of a guarantee that nobody else may hold."""
    return 0 if terms["lending_limit"] is None else max(0, terms["guaranteed"] - terms["lending_limit"])
