"""Acknowledges what has ended: all that is ready in a turn of the loop is one write on each channel."""

import asyncio
import struct
from contextlib import suppress
from typing import Any

from aiormq.abc import AbstractChannel, ChannelFrame

from fleet_worker.door.subscribing import AWAY
from fleet_worker.outcome import Outcome

_ACK = struct.Struct(">BHIHHQBB")
_METHOD, _SIZE, _CLASS, _NUMBER, _END = 1, 13, 60, 80, 0xCE
_AGAIN_S = 0.02
_LAST_ACKS_S = 2.0


class Settling:
    """Acks by whole frames on the client library's own queue of what it writes.

    Its `ack` costs a frame's objects, a future, two callbacks and a system call for each message.
    """

    def __init__(self) -> None:
        self._ready: dict[AbstractChannel, bytearray] = {}
        self._written: asyncio.Future[None] | None = None

    async def settle(self, channel: AbstractChannel, delivery_tag: int, outcome: Outcome) -> None:
        """Acknowledge a delivery, or give it back."""
        if outcome is Outcome.DONE:
            self.ack(channel, delivery_tag)
        else:
            with suppress(*AWAY):
                await channel.basic_nack(delivery_tag, requeue=True)

    def ack(self, channel: AbstractChannel, delivery_tag: int) -> None:
        """Acknowledge a delivery; where its channel is gone, nothing: the broker hands it to someone else."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._write)
        frames = self._ready.setdefault(channel, bytearray())
        frames += _ACK.pack(_METHOD, channel.number, _SIZE, _CLASS, _NUMBER, delivery_tag, 0, _END)

    async def last(self) -> None:
        """Wait, not for long, until the socket has every ack."""
        self._write()
        if self._written is not None:
            await asyncio.wait([self._written], timeout=_LAST_ACKS_S)

    def _write(self) -> None:
        ready, self._ready = self._ready, {}
        for channel, frames in ready.items():
            if not channel.is_closed:
                self._hand_over(channel, frames)

    def _hand_over(self, channel: AbstractChannel, frames: bytearray) -> None:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        untyped: Any = channel  # its types are too loose for a strict check
        try:
            untyped.connection.write_queue.put_nowait(
                ChannelFrame(bytes(frames), should_close=False, drain_future=written)
            )
        except asyncio.QueueFull:
            # The broker reads slowly; what has ended meanwhile leaves with it.
            if not self._ready:
                asyncio.get_running_loop().call_later(_AGAIN_S, self._write)
            self._ready[channel] = frames
        else:
            self._written = written
