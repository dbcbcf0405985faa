"""Servers, GPUs, slots, leases and the queue. ``policy`` is pure."""
