"""An append-only record of every verb."""
