"""Synthetic listeners: who they are, and how they navigate the app, hour by hour.

Every proportion is a constant below. "Sample" in a comment refers to a public sample of the app's logs: 8,056 events
of 97 users in 30 days.
"""

import json
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

from sparkify.sample_data.chance import Draw, bounds, pick, quantile, stream
from sparkify.sample_data.vocabulary import LAST_NAMES, MENS_NAMES, WOMENS_NAMES, metropolis, user_agent

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)

# Who they are.
SESSIONS_IN_30_DAYS = (1, 2, 3, 4, 5, 6, 8, 11, 14, 21, 45)  # per user: deciles of the sample; mean 9.7
PAID_SHARE = 0.24  # of users at the start: 23 of 97 pay at some time, 228 of 941 sessions begin as paid
WOMEN = 0.57  # 55 of 97
WEEKDAYS = (1.13, 1.17, 1.50, 0.92, 1.13, 0.66, 0.47)  # events from Monday to Sunday, relative to an average day
# Sessions that begin in each hour of the day, in the sample.
HOURS = (23, 25, 25, 24, 28, 33, 31, 29, 26, 39, 37, 36, 46, 73, 63, 92, 71, 46, 50, 36, 30, 31, 22, 25)  # fmt: skip

# How often one page followed another in the sample. "start" opens a session and "end" closes it; "(out)" marks a page
# viewed while logged out. Session lengths, page frequencies and level changes all follow from this.
MOVES: dict[str, dict[str, dict[str, int]]] = {
    "free": {
        "start": {"NextSong": 405, "Home": 286, "Login(out)": 10, "Home(out)": 8, "About": 2, "Help": 1, "Error": 1},
        "NextSong": {"NextSong": 616, "end": 539, "Logout": 26, "Home": 25, "Upgrade": 15, "Help": 3, "About": 2,
                     "Settings": 2, "Error": 1},
        "Home": {"NextSong": 195, "end": 142, "Settings": 11, "Home": 5, "Upgrade": 4, "Logout": 3, "About": 1},
        "Upgrade": {"Submit Upgrade": 8, "Home": 5, "NextSong": 3, "end": 3, "Upgrade": 2},
        "Submit Upgrade": {"Home": 8},
        "Settings": {"NextSong": 6, "Save Settings": 2, "Home": 2, "Help": 2, "Settings": 1, "end": 1},
        "Save Settings": {"Home": 1, "end": 1},
        "Help": {"NextSong": 3, "end": 2, "Home": 1},
        "About": {"end": 4, "Home": 1},
        "Error": {"end": 1, "NextSong": 1},
        "Logout": {"Home(out)": 29},
        "Home(out)": {"Login(out)": 20, "end": 11, "Home(out)": 9, "About(out)": 4, "Help(out)": 2},
        "Login(out)": {"Home": 34},
        "Help(out)": {"Login(out)": 2, "Help(out)": 2},
        "About(out)": {"Login(out)": 2, "end": 2},
    },
    "paid": {
        "start": {"NextSong": 102, "Home": 65, "Home(out)": 46, "Login(out)": 15},
        "NextSong": {"NextSong": 5162, "end": 130, "Home": 118, "Logout": 52, "Downgrade": 50, "Settings": 31,
                     "Help": 29, "About": 12, "Error": 7},
        "Home": {"NextSong": 236, "end": 18, "Settings": 8, "Logout": 6, "Downgrade": 5, "About": 1},
        # The sample has 1 submitted downgrade and 8 upgrades, since the app grows. 8 downgrades keep the paid share,
        # and with it the number of events a day, constant for any number of days.
        "Downgrade": {"NextSong": 35, "end": 11, "Home": 10, "Downgrade": 3, "Submit Downgrade": 8},
        "Submit Downgrade": {"Home": 1},
        "Settings": {"NextSong": 24, "Save Settings": 8, "Settings": 3, "Logout": 3, "Home": 2, "Help": 2},
        "Save Settings": {"Home": 8},
        "Help": {"NextSong": 27, "Downgrade": 2, "Home": 1, "Help": 1, "end": 1},
        "About": {"end": 6, "About": 4, "NextSong": 4, "Home": 3},
        "Error": {"end": 5, "Home": 1, "NextSong": 1},
        "Logout": {"Home(out)": 61},
        "Home(out)": {"end": 55, "Login(out)": 41, "Home(out)": 16, "About(out)": 9, "Help(out)": 4},
        "Login(out)": {"Home": 58},
        "Help(out)": {"end": 4, "Help(out)": 1},
        "About(out)": {"end": 5, "Home(out)": 2, "Login(out)": 2, "About(out)": 1},
    },
}  # fmt: skip
REDIRECTS = ("Submit Upgrade", "Submit Downgrade", "Save Settings", "Login(out)", "Logout")  # PUT, status 307
AT_ONCE = ("Submit Upgrade", "Submit Downgrade", "Save Settings", "Login(out)")  # after one second
NEW_LEVEL = {"Submit Upgrade": "paid", "Submit Downgrade": "free"}
PAUSES = (1, 4, 13, 20, 32, 48, 71, 120, 205, 650, 3600)  # seconds from one page to the next: deciles of the sample

HOUR = 3_600_000  # milliseconds
PLAY = "NextSong"


class Track(NamedTuple):
    """A track that can be played: three fragments of an event's JSON, and its duration."""

    artist: str
    length: str
    song: str
    milliseconds: int


@dataclass(slots=True)
class User:
    """A listener: fragments of JSON that do not change, and their current state."""

    number: int
    first_name: str
    last_name: str
    location: str
    registration: str
    agent: str
    sessions_a_day: float
    level: str
    free_at: int = 0  # milliseconds since 1970: when the last session ended


def sign_up(seed: int, count: int) -> list[User]:
    """Return made-up users."""
    draw = stream(seed, "users")
    activity, money = draw(), draw()
    begin = int(FIRST_DAY.timestamp()) * 1000
    users = []
    for number in range(1, count + 1):
        # Spread evenly (by the R2 sequence), not drawn, so that even a few users have the sample's means.
        activity, money = (activity + 0.7548776662466927) % 1.0, (money + 0.5698402909980532) % 1.0
        gender, names = ("F", WOMENS_NAMES) if draw() < WOMEN else ("M", MENS_NAMES)
        first_name = f'"firstName":{json.dumps(pick(names, draw()))},"gender":"{gender}"'
        users.append(
            User(
                number,
                first_name,
                last_name=json.dumps(pick(LAST_NAMES, draw())),
                location=json.dumps(metropolis(draw)),
                registration=f"{begin - int(draw() * 14 * 24 * HOUR)}.0",  # within the two weeks before
                agent=json.dumps(user_agent(draw)),
                sessions_a_day=quantile(SESSIONS_IN_30_DAYS, activity) / 30,
                level="paid" if money < PAID_SHARE else "free",
            )
        )
    return users


class _Page:
    """A page for users of one level: its fields in an event, and the pages that follow."""

    def __init__(self, name: str, following: dict[str, int]) -> None:
        self.name = name
        self.logged_out = name.endswith("(out)")
        method = "PUT" if name in REDIRECTS or name == PLAY else "GET"
        self.fields = f'"method":"{method}","page":"{name.removesuffix("(out)")}"'
        self._following, self._bounds = list(following), bounds(following.values())
        self.play_bound = self._bounds[0] if self._following[0] == PLAY else 0.0  # a smaller chance means a play

    def next(self, chance: float) -> str:
        """Return the name of the next page."""
        return self._following[bisect(self._bounds, chance)]


PAGES = {level: {name: _Page(name, to) for name, to in moves.items()} for level, moves in MOVES.items()}


class App:
    """The app in use: its users, and the future events of the sessions that have begun."""

    def __init__(self, seed: int, users: list[User], tracks: list[Track], popularity: list[float]) -> None:
        self._seed = seed
        self._users = users
        self._sessions = 0  # number of sessions begun so far
        self.tracks = tracks
        self.popularity = popularity
        self.hours: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)  # hour since 1970 → time and event

    def day(self, date: datetime) -> Iterator[list[str]]:
        """Yield the events of each hour with events, in order of time. Days must be requested in order."""
        draw = stream(self._seed, f"{date:%Y-%m-%d}")
        for hour, users in enumerate(self._starts(WEEKDAYS[date.weekday()], draw), int(date.timestamp()) // 3600):
            for user in users:
                self._sessions += 1
                start = hour * HOUR + int(draw() * HOUR)
                earliest = user.free_at + int(quantile(PAUSES, draw()) * 1000)
                _Session(self, user, self._sessions, max(start, earliest), draw).run()
            if hour in self.hours:
                yield [event for _, event in sorted(self.hours.pop(hour), key=itemgetter(0))]

    def _starts(self, weekday: float, draw: Draw) -> list[list[User]]:
        """Return the users who begin a session in each of the 24 hours of a day."""
        starts: list[list[User]] = [[] for _ in HOURS]
        hours = bounds(HOURS)
        for user in self._users:
            expected = user.sessions_a_day * weekday
            while draw() < expected:
                starts[bisect(hours, draw())].append(user)
                expected -= 1
        return starts


class _Session:
    """One session of one user."""

    __slots__ = ("_app", "_draw", "_item", "_logged_in", "_music_ends", "_number", "_ts", "_user")

    def __init__(self, app: App, user: User, number: int, ts: int, draw: Draw) -> None:
        self._app = app
        self._user = user
        self._number = number
        self._draw = draw
        self._logged_in = _logged_in(user, number)
        self._ts = ts  # of the next event
        self._item = 0
        self._music_ends = 0

    def run(self) -> None:
        """Add every event of the session to its hour."""
        pages, draw = PAGES[self._user.level], self._draw
        name = pages["start"].next(draw())
        while name != "end":
            page = pages[name]
            if name == PLAY:
                name = self._listen(page)
                early = draw()
                self._ts += 1 + int((self._music_ends - self._ts) * early * early * early)  # half: in the first eighth
                continue
            self._view(page)
            if name in NEW_LEVEL:
                self._user.level = NEW_LEVEL[name]
                self._logged_in = _logged_in(self._user, self._number)
                pages = PAGES[self._user.level]
            name = page.next(draw())
            self._ts += 1000 if name in AT_ONCE else int(quantile(PAUSES, draw()) * 1000)
            if name == PLAY:
                self._ts = max(self._ts, self._music_ends)
        self._user.free_at = max(self._ts, self._music_ends)

    def _listen(self, page: _Page) -> str:
        """Play songs; return the name of the page that is opened during the last one."""
        draw, tracks, popularity = self._draw, self._app.tracks, self._app.popularity
        before, last_name, level, since, tail = self._logged_in
        middle = level + page.fields + since
        ts, item, hour_ends, play_bound = self._ts, self._item, 0, page.play_bound
        while True:
            artist, length, song, milliseconds = tracks[bisect(popularity, draw())]
            if ts >= hour_ends:
                add, hour_ends = self._app.hours[ts // HOUR].append, ts // HOUR * HOUR + HOUR
            add((ts, f"{artist}{before}{item}{last_name}{length}{middle}{song}{ts}{tail}"))
            item += 1
            chance = draw()
            if chance >= play_bound and (following := page.next(chance)) != PLAY:
                break
            ts += milliseconds
        self._ts, self._item, self._music_ends = ts, item, ts + milliseconds
        return following

    def _view(self, page: _Page) -> None:
        """View a page other than a play."""
        fragments = _logged_out(self._user, self._number) if page.logged_out else self._logged_in
        before, last_name, level, since, tail = fragments
        ts, status = self._ts, 307 if page.name in REDIRECTS else 404 if page.name == "Error" else 200
        event = (
            f'{{"artist":null{before}{self._item}{last_name}null{level}{page.fields}{since}null,'
            f'"status":{status},"ts":{ts}{tail}'
        )
        self._app.hours[ts // HOUR].append((ts, event))
        self._item += 1


def _logged_in(user: User, session: int) -> tuple[str, str, str, str, str]:
    """Return the JSON around item, length, page, song and ts in the events of a session."""
    return (
        f',"auth":"Logged In",{user.first_name},"itemInSession":',
        f',"lastName":{user.last_name},"length":',
        f',"level":"{user.level}","location":{user.location},',
        f',"registration":{user.registration},"sessionId":{session},"song":',
        f',"userAgent":{user.agent},"userId":"{user.number}"}}',
    )


def _logged_out(user: User, session: int) -> tuple[str, str, str, str, str]:
    """Return the same while the user is logged out."""
    return (
        ',"auth":"Logged Out","firstName":null,"gender":null,"itemInSession":',
        ',"lastName":null,"length":',
        f',"level":"{user.level}","location":null,',
        f',"registration":null,"sessionId":{session},"song":',
        ',"userAgent":null,"userId":""}',
    )
