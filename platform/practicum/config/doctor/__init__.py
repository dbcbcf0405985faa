"""``practicum doctor``: looks at everything a running site needs, and says of each what to do where it isn't well.

A *look* is a function that returns findings and changes nothing. One that fails is a finding too: the doctor never ends
in a traceback, however ill the site is.
"""
