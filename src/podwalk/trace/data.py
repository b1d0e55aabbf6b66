"""Where the data of an open connection got stuck: the handshake's packets are small, and what follows may not fit."""

from __future__ import annotations

from dataclasses import dataclass

from podwalk.trace.events import REPLY, REQUEST, Event, Namespace
from podwalk.trace.probe.packets import SYN, TCP, Packet

# How far the sequence numbers of one walk's data can be from the first.
_WINDOW = 1 << 24


@dataclass(frozen=True, slots=True)
class Stuck:
    """The last sighting of the largest packet that did not arrive; ``mtu`` is that of the next device of its way."""

    event: Event
    next_device: str = ""
    mtu: int = 0

    @property
    def too_large(self) -> bool:
        """Whether it did not fit."""
        return 0 < self.mtu < self.event.packet.length


def stuck(events: list[Event], spaces: list[Namespace]) -> Stuck | None:
    """The largest packet of data that did not come to the other end; None where all of them did."""
    way = [e for e in events if e.direction == REQUEST]
    back = [e for e in events if e.direction == REPLY]
    if not way or not back or way[0].packet.protocol != TCP:
        return None
    first, answer = way[0].packet.seq, back[0].packet.seq
    for start, path in ((first, way), (answer, back)):
        end = path[-1].where
        frames = [e for s in spaces for e in s.frames if _is_data(e.packet, start)]
        arrived = {e.packet.ident for e in end.frames if _is_data(e.packet, start)}
        lost = [e for e in frames if e.packet.ident not in arrived]
        if lost:
            largest = max(lost, key=lambda e: (e.packet.length, e.time))
            same = [e for e in lost if e.packet.ident == largest.packet.ident]
            return _beyond(max(same, key=lambda e: e.time), path)
    return None


def _is_data(packet: Packet, start: int) -> bool:
    ours = packet.protocol == TCP and 0 < (packet.seq - start) % (1 << 32) < _WINDOW
    return ours and not packet.flags & SYN and packet.length > 60


def _beyond(last: Event, path: list[Event]) -> Stuck:
    """Ask the handshake's way for the device that would have been next."""
    frames = [e for e in path if e.way != "hook"]
    places = [(e.where.place, e.where.pod, e.device) for e in frames]
    here = (last.where.place, last.where.pod, last.device)
    if here not in places or places.index(here) + 1 >= len(frames):
        return Stuck(last)
    following = frames[places.index(here) + 1]
    return Stuck(last, following.device, int(following.where.links.get(following.device, {}).get("mtu", 0)))
