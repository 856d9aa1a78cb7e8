"""The cache's rules under any order of requests, loads, evictions and passing time."""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gallery.lists.cache import ENTRY_OVERHEAD_BYTES, Eviction, ListCache, ListKey, Scope
from services.gallery.lists.codings import Coding
from services.gallery.lists.list_page import ListPage
from services.gallery.web.paging import Page

TTL_SECONDS = 30.0
MAX_BYTES = 6 * ENTRY_OVERHEAD_BYTES
EVENTS, USERS = (1, 2), (7, 8)


@dataclass(frozen=True)
class Ask:
    """Somebody asks for a list; `held` loads finish only at the end of the steps."""

    key: ListKey
    held: bool


@dataclass(frozen=True)
class Change:
    """An event's data changes, and the message about it arrives."""

    event_id: int


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: float


KEYS = st.builds(
    ListKey,
    st.sampled_from(EVENTS),
    st.sampled_from(USERS),
    st.sampled_from(Scope),
    st.sampled_from([Page(), Page(limit=2)]),
)
STEPS = st.lists(
    st.one_of(
        st.builds(Ask, KEYS, st.booleans()),
        st.builds(Change, st.sampled_from(EVENTS)),
        st.builds(Wait, st.sampled_from([1.0, 15.0, 31.0])),
    ),
    max_size=40,
)


class World:
    """A database of one number per event, and a cache in front of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.versions = dict.fromkeys(EVENTS, 0)
        self.gate = asyncio.Event()
        self.cache = ListCache(max_bytes=MAX_BYTES, ttl_seconds=TTL_SECONDS, clock=lambda: self.now)

    async def ask(self, step: Ask) -> tuple[int, bytes]:
        """Return the version at the time of asking, and the answer."""
        version = self.versions[step.key.event_id]

        async def load() -> ListPage:
            body = str(self.versions[step.key.event_id]).encode()
            if step.held:
                await self.gate.wait()
            return ListPage.of_body(body)

        found = await self.cache.get(step.key, load())
        assert found is not None
        return version, await found.body(Coding.IDENTITY)

    def change(self, event_id: int) -> None:
        self.versions[event_id] += 1
        self.cache.evict(Eviction(event_id, users=None, general=True))


@settings(max_examples=150)
@given(STEPS)
def test_nobody_is_answered_what_was_stale_when_they_asked(
    steps: list[Ask | Change | Wait],
) -> None:
    async def play() -> None:
        world = World()
        asked: list[asyncio.Task[tuple[int, bytes]]] = []
        for step in steps:
            match step:
                case Ask():
                    asked.append(asyncio.create_task(world.ask(step)))
                case Change(event_id):
                    world.change(event_id)
                case Wait(seconds):
                    world.now += seconds
            for _ in range(4):
                await asyncio.sleep(0)
            assert world.cache.figures().size_bytes <= MAX_BYTES
        world.gate.set()
        for version, body in await asyncio.gather(*asked):
            assert int(body) >= version
        # Whatever was loaded on the way: what is kept now is what the database says.
        for key in {step.key for step in steps if isinstance(step, Ask)}:
            _, body = await world.ask(Ask(key, held=False))
            assert int(body) == world.versions[key.event_id]
        assert world.cache.figures().size_bytes <= MAX_BYTES
        await world.cache.close()

    asyncio.run(play())
