"""The addresses for Services of type LoadBalancer: who has which. Pure.

Upstream: go.universe.tf/metallb internal/allocator. One pool, no sharing of an address between Services.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

DEFAULT_RANGE = "172.18.255.200-172.18.255.250"


class AllocationError(Exception):
    """No address for a Service; the message is what its AllocationFailed event says."""


class Pool:
    """A range of IPv4 addresses, ``FIRST-LAST`` or a CIDR."""

    def __init__(self, addresses: str = DEFAULT_RANGE) -> None:
        self._first, self._last = _bounds(addresses)
        self._owner: dict[str, str] = {}

    def __contains__(self, address: str) -> bool:
        try:
            return self._first <= ipaddress.IPv4Address(address) <= self._last
        except ValueError:
            return False

    def address_of(self, service: str) -> str | None:
        """The address that a Service (``namespace/name``) holds."""
        return next((address for address, owner in self._owner.items() if owner == service), None)

    def assign(self, service: str, wanted: str = "") -> str:
        """Give a Service the address it asks for, or keep its own, or take the lowest free one.

        Raises AllocationError.
        """
        held = self.address_of(service)
        if wanted:
            self._claim(service, wanted)
            address = str(ipaddress.IPv4Address(wanted))
        else:
            address = held or next((a for a in self._all() if a not in self._owner), "")
            if not address:
                raise AllocationError("no available IPs")
        if held is not None and held != address:
            del self._owner[held]
        self._owner[address] = service
        return address

    def release(self, service: str) -> None:
        """Take back what a Service holds."""
        held = self.address_of(service)
        if held is not None:
            del self._owner[held]

    def _claim(self, service: str, wanted: str) -> None:
        try:
            address = str(ipaddress.IPv4Address(wanted))
        except ValueError:
            raise AllocationError(f'invalid spec.loadBalancerIP "{wanted}"') from None
        if address not in self:
            raise AllocationError(f'["{address}"] is not allowed in config')
        owner = self._owner.get(address, service)
        if owner != service:
            raise AllocationError(f'can\'t change sharing key for "{service}", address also in use by {owner}')

    def _all(self) -> Iterator[str]:
        for number in range(int(self._first), int(self._last) + 1):
            yield str(ipaddress.IPv4Address(number))


def _bounds(text: str) -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]:
    if "-" in text:
        first, last = (ipaddress.IPv4Address(part.strip()) for part in text.split("-"))
    else:
        network = ipaddress.IPv4Network(text)
        first, last = network[0], network[-1]
    if last < first:
        raise ValueError(f"{text}: its end comes before its beginning; write FIRST-LAST")
    return first, last
