"""The addresses that can connect: one range of IPv4 addresses, never the whole internet."""

import ipaddress
import urllib.error
import urllib.request

from sparkify.errors import ClusterError, ConfigError

ME = "me"
ADDRESS_SERVICE = "https://checkip.amazonaws.com"  # run by AWS; it returns the caller's address and a line ending

# A large company or a university has a /16; a wider range lets strangers in.
WIDEST = 16

# Addresses that are never a source on the internet: RFC 1918, 6598, 1122 and 3927.
NOT_PUBLIC = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")


def allowed(text: str) -> str:
    """Return the range of addresses in a text such as 198.51.100.7/32 or 198.51.100.7; "" for an empty text.

    Raise ConfigError for a malformed range, an IPv6 one, one that is too wide, and one that is not public.
    """
    if not text:
        return ""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ConfigError(f"[DWH] ALLOW_FROM or --allow-from: {_why_not(text)}") from None
    what = f"[DWH] ALLOW_FROM or --allow-from: {network}"
    if network.version == 6:
        raise ConfigError(f"{what} is IPv6, but the warehouse has IPv4 addresses only. Use your IPv4 address.")
    if network.prefixlen < WIDEST:
        raise ConfigError(
            f"{what} lets in {network.num_addresses:,} addresses. Use a range of /{WIDEST} or narrower, or `{ME}`."
        )
    if any(network.subnet_of(ipaddress.IPv4Network(block)) for block in NOT_PUBLIC):
        raise ConfigError(f"{what} is a private address, unknown on the internet. Use the public one, or `{ME}`.")
    return str(network)


def _why_not(text: str) -> str:
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return f"the value is not a range of addresses. Write it like 198.51.100.7/32, or `{ME}`."
    return (
        f"{text} is an address in a range, not a range. Write {interface.ip} for the address, or {interface.network}"
        " for the range."
    )


def mine(url: str = ADDRESS_SERVICE) -> str:
    """Return the caller's public address as a range of one.

    Raise ClusterError when the service does not respond with an IPv4 address.
    """
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            text = response.read(64).decode("ascii", "replace").strip()
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise ClusterError(
            f"{url}: the request for your address failed ({reason}). Pass the address: --allow-from ADDRESS/32."
        ) from None
    try:
        return f"{ipaddress.IPv4Address(text)}/32"
    except ValueError:
        raise ClusterError(
            f"{url}: the response is not an IPv4 address. Pass your address: --allow-from ADDRESS/32."
        ) from None
