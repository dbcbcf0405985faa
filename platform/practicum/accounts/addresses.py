"""Which addresses of the network the site may call when somebody else names the host. Pure.

Public means: routed on the internet and nothing else. IPv6 forms that carry an IPv4 address inside (mapped, NAT64,
6to4, Teredo) lead to that address through a gateway, so they are refused with it; networks of private use, this
machine, link-local ones and the metadata services of cloud providers are never public.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# 168.63.129.16 is Azure's host agent: an address of the public range that answers only inside.
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
# 192.0.0.0/24 holds Oracle's metadata service, and ``is_global`` takes parts of it for public; 64:ff9b:1::/48 is NAT64 of
# private use (RFC 8215).
INSIDE = [ip_network(network) for network in ("168.63.129.16/32", "192.0.0.0/24", "64:ff9b:1::/48")]
NAT64 = ip_network("64:ff9b::/96")


def may_call(address: str, *, allowed: Iterable[str] = ()) -> bool:
    """A connection to ``address`` leaves for the public internet, or for one of the ``allowed`` networks."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public(parsed) or any(parsed in ip_network(network) for network in allowed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.scope_id or address.sixtofour or address.teredo:
            return False
        carried = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None)
        if carried is not None:
            return _is_public(carried)
        if address.is_site_local:
            return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    return address.is_global and not is_special and not any(address in network for network in INSIDE)
