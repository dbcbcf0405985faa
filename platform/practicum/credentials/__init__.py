"""Certificates: what an internship came to, signed, checked by anybody, shown as its intern decides."""
