"""What runs inside an intern's notebook server: the ``practicum`` command, the magic, the JupyterLab panel.

Needs the standard library and what JupyterLab brings, nothing else. It meets the site only over HTTP/JSON
(:mod:`.client`); no part of it may break a kernel or a notebook server when the site is away.
"""
