"""A hostile notebook in, a harmless page out. Runs in a process of its own, with limits; never inside the site's.

Imports nothing of Django: ``__main__`` is started by path in an isolated interpreter (``python -I``).
"""
