"""Small tales whose every choice is drawn with a known probability, so that the bits in a text are known exactly.

The same seed gives the same text on every Python: only ``random.Random(seed).random()`` is drawn from, which Python promises
to keep. A text can be read in one way only, so its information is the sum of -log2 of the probability of each choice:
no model of any size can predict it in fewer bits on average.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

NAMES = (
    "Ada", "Bela", "Cato", "Dora", "Emil", "Fenna", "Gil", "Hedda", "Ivo", "Jana", "Karl", "Lotte", "Milo", "Nora", "Otto",
    "Pia", "Quin", "Rosa", "Sven", "Tilda", "Ugo", "Vera", "Willem", "Yara",
)  # fmt: skip
THINGS = (
    "apple", "basket", "candle", "drum", "engine", "feather", "goat", "hammer", "island", "jar", "kettle", "ladder", "mirror",
    "needle", "oar", "pebble", "quilt", "ribbon", "saddle", "telescope", "umbrella", "violin", "wagon", "anchor", "button",
    "clock", "donkey", "egg", "flute", "glove", "hat", "ink pot",
)  # fmt: skip
KINDS = (
    "old", "red", "heavy", "hollow", "bright", "broken", "tiny", "golden", "borrowed", "wet", "crooked", "quiet", "wooden",
    "strange", "warm", "dusty", "green", "narrow", "painted", "lost",
)  # fmt: skip
DEEDS = (
    "found", "carried", "washed", "sold", "painted", "lost", "mended", "hid", "weighed", "measured", "praised", "dropped",
    "buried", "borrowed", "polished", "forgot",
)  # fmt: skip
PLACES = (
    "behind the mill", "at the harbour", "under the bridge", "in the orchard", "on the hill", "near the well", "by the river",
    "in the market", "beside the road", "at the old gate",
)  # fmt: skip
TOPIC_SHARE = 0.7  # of the times a thing is named, it is the tale's own
MOST_SENTENCES = 9


class Teller:
    """Tells tales and counts the bits of what it chose."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.bits = 0.0

    def pick(self, among: Sequence[str]) -> str:
        """One of them, each as likely."""
        self.bits += math.log2(len(among))
        return among[int(self.random.random() * len(among))]

    def happens(self, share: float) -> bool:
        """True in this share of the cases."""
        chosen = self.random.random() < share
        self.bits -= math.log2(share if chosen else 1.0 - share)
        return chosen

    def number(self, *, most: int) -> int:
        """From 1 to ``most``, each as likely."""
        self.bits += math.log2(most)
        return 1 + int(self.random.random() * most)

    def tale(self) -> str:
        """A few sentences about two people and a thing, and an empty line."""
        first = self.pick(NAMES)
        second = self.pick([name for name in NAMES if name != first])
        topic = self.pick(THINGS)
        sentences = [f"One day {first} met {second} {self.pick(PLACES)}."]
        for _ in range(2 + self.number(most=MOST_SENTENCES - 2)):
            sentences.append(self.sentence((first, second), topic=topic))
        return " ".join(sentences) + "\n\n"

    def sentence(self, people: tuple[str, str], *, topic: str) -> str:
        """One of three kinds; the third has a sum in it, whose result is no choice."""
        who = self.pick(people)
        other = people[1 - people.index(who)]
        if self.happens(0.5):
            return f"{who} {self.pick(DEEDS)} the {self.pick(KINDS)} {self.thing(topic)} {self.pick(PLACES)}."
        if self.happens(0.5):
            return f"Then {other} asked {who} for the {self.pick(KINDS)} {self.thing(topic)}."
        had, more = self.number(most=20), self.number(most=20)
        return f"So {who} had {had} and {other} had {more}, which makes {had + more}."

    def thing(self, topic: str) -> str:
        """The tale's own thing, or any other."""
        if self.happens(TOPIC_SHARE):
            return topic
        return self.pick([thing for thing in THINGS if thing != topic])


def told(seed: str, *, least_bytes: int) -> tuple[bytes, float]:
    """Whole tales of at least so many bytes, and the bits in them."""
    teller, tales, size = Teller(seed), [], 0
    while size < least_bytes:
        tales.append(teller.tale().encode("ascii"))
        size += len(tales[-1])
    return b"".join(tales), teller.bits
