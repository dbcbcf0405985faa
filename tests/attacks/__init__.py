"""Attacks on Practicum, each beside a weak control in which it must succeed: containers, archives, notebooks."""
