# SPDX-License-Identifier: Apache-2.0
"""The aiortc client for scenarios that wait in turn: its loop runs in a thread of its own."""
import asyncio
import concurrent.futures
import threading

from aiortc_client import Client, Problem
from house import Failed


class App:
    """App(demo, "bob").incoming() runs the client's coroutine of that name to its end."""

    def __init__(self, demo, user, enter=None, **more):
        self.loop, self.enter = asyncio.new_event_loop(), enter
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()
        self.client = Client(demo, user, **more)

    def _live(self):
        if self.enter:
            self.enter()  # e.g. another network namespace, for this thread alone
        self.loop.run_forever()

    def run(self, coroutine, seconds=40):
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(seconds)
        except (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError) as late:
            raise Failed("the app: %s" % (late or "took too long")) from None

    def __getattr__(self, name):
        found = getattr(self.client, name)
        if not asyncio.iscoroutinefunction(found):
            return found
        return lambda *args, **more: self.run(found(*args, **more))

    def newest(self):
        """The newest call that rings; further requests are about it."""
        known = {e["call"] for e in self.client.events if e["event"] == "call.ended"}

        async def incoming():
            at = 0
            while True:
                event = await self.client.wait("call.incoming", after=at)
                if event["call"] not in known:
                    self.client.call = event["call"]
                    return event
                at = self.client.events.index(event) + 1
        return self.run(incoming())

    def hears(self, hz, seconds=6):
        return self.run(self.client.hears(hz, seconds))

    def refused(self, call):
        """The problem that a request ends in."""
        try:
            call()
        except Problem as problem:
            return problem
        raise Failed("no problem where one was due")

    def __enter__(self):
        try:
            self.run(self.client.__aenter__())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.run(self.client.__aexit__(), 10)
        except Failed:
            pass
        try:
            self.run(self._tidy(), 5)
        except Failed:
            pass
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    @staticmethod
    async def _tidy():
        """What aiortc leaves running."""
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
