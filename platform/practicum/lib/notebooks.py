"""nbformat, loaded without what takes longest: import it from here.

jsonschema, which it loads, takes along every check of formats that is installed; the one of internationalised addresses
(``rfc3987_syntax``) compiles a grammar when it is loaded, for more than a second in every process. No notebook's schema
has such an address.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import nbformat  # noqa: E402
from nbformat import validator  # noqa: E402
from nbformat.v4.nbjson import JSONReader  # noqa: E402

__all__ = ["JSONReader", "nbformat", "validator"]
