"""The hub's settings: all of them come from the environment through ``practicum_hub.configure``."""

import os

from traitlets.config import Config

from practicum_hub.configure import configure

c = get_config()
c.merge(Config(configure(os.environ)))
