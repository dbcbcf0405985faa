"""What an operator does on a server: install, bundle, upgrade, roll back.

Python 3.9 and its standard library alone, for it runs on a bare server; everything else is asked of the ``docker`` command.
Whatever fails is a :class:`~operations.telling.Stop`, whose message says what to do.
"""
