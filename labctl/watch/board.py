"""What the page shows now, as JSON in named panels; whoever reads the page is told of each panel that has changed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import asdict

from labctl.graph.svg import as_svg
from labctl.watch.happened import Event
from labctl.watch.view import View

STILL_HERE_SECONDS = 5.0


class Board:
    """The panels. put() may be called from any thread; changes() is for the server's event loop."""

    def __init__(self) -> None:
        self._panels: dict[str, str] = {}
        self._readers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._lock = threading.Lock()
        self._closed = False

    def put(self, view: View, events: tuple[Event, ...]) -> None:
        """Show this."""
        panels = {
            "verdict": asdict(view.verdict),
            "picture": {"svg": as_svg(view.picture, styled=False)},
            "tables": [asdict(table) for table in view.tables],
            "happened": [asdict(event) for event in events],
        }
        with self._lock:
            self._panels = {name: json.dumps(panel, ensure_ascii=False) for name, panel in panels.items()}
            self._wake()

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        for event, loop in self._readers.items():
            loop.call_soon_threadsafe(event.set)

    async def changes(self) -> AsyncIterator[str]:
        """Server-sent events (WHATWG HTML, 9.2): all panels, then each that has changed; a comment now and then."""
        news, sent = asyncio.Event(), dict[str, str]()
        news.set()
        with self._lock:
            self._readers[news] = asyncio.get_running_loop()
        try:
            while not self._closed:
                try:
                    await asyncio.wait_for(news.wait(), STILL_HERE_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                news.clear()
                for name, text in self._panels.items():
                    if sent.get(name) != text:
                        sent[name] = text
                        yield f"event: {name}\ndata: {text}\n\n"
        finally:
            with self._lock:
                del self._readers[news]
