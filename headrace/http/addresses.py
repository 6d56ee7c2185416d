"""Decides whether an IP address belongs to the public internet.

The rule is a table of our own, because the one in Python's `ipaddress` differs between versions. It holds IANA's
special-purpose address registries (RFC 6890, updated by RFC 8190) as of 2025-10-09, without entries contained in
others, and multicast. It is stricter than the registries for tunnels and translators (6to4, Teredo, NAT64), whose
addresses lead into networks that only the translator knows: all of them are refused.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, RFC 791
            "10.0.0.0/8",  # private use, RFC 1918
            "100.64.0.0/10",  # carriers' shared space, RFC 6598
            "127.0.0.0/8",  # loopback, RFC 1122
            "169.254.0.0/16",  # link-local, RFC 3927; the metadata services of clouds
            "172.16.0.0/12",  # private use, RFC 1918
            "192.0.0.0/24",  # IETF protocol assignments, RFC 6890; also a cloud's metadata (192.0.0.192)
            "192.0.2.0/24",  # documentation, RFC 5737
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "192.168.0.0/16",  # private use, RFC 1918
            "198.18.0.0/15",  # benchmarks, RFC 2544
            "198.51.100.0/24",  # documentation, RFC 5737
            "203.0.113.0/24",  # documentation, RFC 5737
            "224.0.0.0/4",  # multicast, RFC 5771
            "240.0.0.0/4",  # reserved, RFC 1112, and the limited broadcast
        ),
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
"""All addresses assigned as global unicast (RFC 4291, section 2.4; IANA's IPv6 address space). Outside of it are ::1,
IPv4-mapped, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard (100::/64), SRv6 SIDs (5f00::/16), unique local (fc00::/7),
link-local (fe80::/10), site-local (fec0::/10) and multicast (ff00::/8) addresses."""
_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments, RFC 2928: Teredo, benchmarks, AMT, ORCHID, drones
            "2001:db8::/32",  # documentation, RFC 3849
            "2002::/16",  # 6to4, RFC 3056
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether `address` is a public unicast address; False for anything that is not an address or has a zone."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_V4)
    return ip.scope_id is None and ip in _GLOBAL_UNICAST_V6 and not any(ip in network for network in _NOT_PUBLIC_V6)
