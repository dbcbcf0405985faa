"""Backups of a whole site, and sites made from them.

A *backup* is a handful of snapshots in one restic repository with an id in common: the *state* (database, the hub's
database, keys, the environment), the site's *files*, each person's *volume*, and last the *manifest*, which names all of
the others with the sha256 of everything in them. A backup without a manifest was never finished and counts for nothing.
The repository is encrypted, and never holds the same content twice.
"""
