"""The notebook server, loaded in half the time: ``python -m practicum_hub.workspace.serve``.

jupyter_events asks jsonschema for every check of formats, and the one of internationalised addresses
(``rfc3987_syntax``) compiles a grammar when it is loaded, which takes as long as all the rest of the server. No schema of
ours or of Jupyter's has such an address, so this process does without it. Kernels and terminals are processes of their own
and find it.
"""

from __future__ import annotations

import sys

NOT_NEEDED = "rfc3987_syntax"


def main() -> None:
    """Become JupyterHub's single-user server."""
    sys.modules.setdefault(NOT_NEEDED, None)  # type: ignore[arg-type]
    from jupyterhub.singleuser import main as serve

    serve()


if __name__ == "__main__":
    main()
