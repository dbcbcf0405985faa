"""The hub side of Practicum: how notebooks start, who may, and what runs inside them."""

__version__ = "0.1.0"
