"""Who may connect: one range of IPv4 addresses, and never everybody."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request

from sparkify.errors import ClusterError, ConfigError

ME = "me"
WHERE_TO_ASK = "https://checkip.amazonaws.com"  # Amazon's own; it answers with the caller's address and a line end

# A /16 is what a large company or a university calls its own; whatever is wider lets strangers in.
WIDEST = 16

# Addresses that the internet never sees as a source: RFC 1918, 6598, 1122 and 3927.
NEVER_SEEN = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")


def allowed(text: str) -> str:
    """Return the range that a user wrote, such as 198.51.100.7/32 or an address alone; "" for none.

    Raise ConfigError for what is no range, or a range that nobody should be let in from.
    """
    if not text:
        return ""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(f"[DWH] ALLOW_FROM or --allow-from: {_why_not(text)}") from None
    what = f"[DWH] ALLOW_FROM or --allow-from: {network}"
    if network.version == 6:
        raise ConfigError(f"{what} is IPv6, and the warehouse has IPv4 addresses only. Name your IPv4 address.")
    if network.prefixlen < WIDEST:
        raise ConfigError(
            f"{what} lets in {network.num_addresses:,} addresses. Name a range of /{WIDEST} or narrower, or `{ME}`."
        )
    if any(network.subnet_of(ipaddress.IPv4Network(never)) for never in NEVER_SEEN):
        raise ConfigError(
            f"{what} is a private address, which the internet never sees. Name the public one, or `{ME}`."
        )
    return str(network)


def _why_not(text: str) -> str:
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return f"is no range of addresses. Write it like 198.51.100.7/32, or `{ME}`."
    return (
        f"{text} is an address in a range, not a range. Write {interface.ip} for the one, {interface.network} for the"
        " other."
    )


def mine(ask: str = WHERE_TO_ASK) -> str:
    """Return the caller's own address as the internet sees it, as a range of one.

    Raise ClusterError when nobody answers, or not with an IPv4 address.
    """
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:
            text = answer.read(64).decode("ascii", "replace").strip()
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(
            f"{ask}: cannot be asked for your address ({reason}). Name the address itself: --allow-from ADDRESS/32."
        ) from None
    try:
        return f"{ipaddress.IPv4Address(text)}/32"
    except ValueError:
        raise ClusterError(
            f"{ask}: answered with something else than an IPv4 address. Name yours: --allow-from ADDRESS/32."
        ) from None
