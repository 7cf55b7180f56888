"""TCP proxies whose connections can be cut, slowed down and black-holed."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

CHUNK = 65536


@dataclass(eq=False)
class Link:
    """One proxy: what comes to 127.0.0.1:port goes to 127.0.0.1:to_port. Its methods may be called by any thread; whoever
    harms it holds `fault` until it is healed."""

    name: str
    to_port: int
    port: int = 0
    refuses: bool = False
    delay: float = 0.0
    fault: threading.Lock = field(default_factory=threading.Lock)
    _loop: asyncio.AbstractEventLoop | None = None
    _open: dict[str, asyncio.Event] = field(default_factory=dict)  # By direction: up (to the server), down.
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Resets every connection and refuses new ones until heal()."""
        self._loop.call_soon_threadsafe(self._cut)

    def black_hole(self, directions: tuple[str, ...]) -> None:
        """Nothing arrives any more in these directions, and nobody is told. What was sent arrives after heal()."""
        self._loop.call_soon_threadsafe(lambda: [self._open[direction].clear() for direction in directions])

    def slow(self, seconds: float) -> None:
        """Every piece of data comes that much later."""
        self.delay = seconds

    def heal(self) -> None:
        self.refuses, self.delay = False, 0.0
        self._loop.call_soon_threadsafe(lambda: [event.set() for event in self._open.values()])

    # In the loop's thread.

    async def begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = {"up": asyncio.Event(), "down": asyncio.Event()}
        for event in self._open.values():
            event.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def _cut(self) -> None:
        self.refuses = True
        for writer in list(self._connections):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        upstream = None
        try:
            if self.refuses:
                return
            up_reader, upstream = await asyncio.open_connection("127.0.0.1", self.to_port)
            self._connections.add(upstream)
            pumps = [asyncio.ensure_future(self._pump(reader, upstream, "up")),
                     asyncio.ensure_future(self._pump(up_reader, writer, "down"))]
            # Where one side is gone, so is the connection, but not what it had sent before.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(pumps, timeout=0.2)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass
        finally:
            for end in (writer, upstream):
                if end is not None:
                    self._connections.discard(end)
                    end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        try:
            while data := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._open[direction].wait()
                writer.write(data)
                await writer.drain()
            await self._open[direction].wait()
            if writer.can_write_eof():
                writer.write_eof()
        except (OSError, RuntimeError):
            pass


class Proxies:
    """A thread that runs every Link. close() ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def add(self, name: str, to_port: int) -> Link:
        link = Link(name, to_port)
        asyncio.run_coroutine_threadsafe(link.begin(), self._loop).result(10)
        return link

    def close(self) -> None:
        async def end() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
