#!/usr/bin/env python3
"""Run a management command from a checkout."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent / "platform"))
    from practicum.config.cli import main

    main()
