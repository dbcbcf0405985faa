"""The hub's settings: all of them come from the environment through ``practicum_hub.configure``."""

import os

from traitlets.config import Config

from practicum_hub.configure import configure
from practicum_hub.logs import log_request

c = get_config()
c.merge(Config(configure(os.environ)))
c.JupyterHub.tornado_settings = {**c.JupyterHub.tornado_settings, "log_function": log_request}
