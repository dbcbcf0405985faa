"""Loads ``%practicum`` at the start of each kernel. IPython only warns when an extension can't be loaded."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821 (IPython puts it there)
c.InteractiveShellApp.extensions.append("practicum_hub.workspace.ipython")
