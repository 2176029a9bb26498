"""A fortnight of five users, small enough to count by hand, with a case for every view."""

from __future__ import annotations

from tests.promises.deliveries import HEARD, LATE, LOST, play, song, view, write
from tests.support.sandbox import Sandbox

DAY = 86_400  # seconds; the delivery starts on Thursday, 2018-11-01, 20:57:10.796 UTC
NEW_YORK = {
    "location": "New York-Newark-Jersey City, NY-NJ-PA",
    "userAgent": '"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko)'
    ' Chrome/36.0.1985.143 Safari/537.36"',
}
OAKLAND = {
    "location": "San Francisco-Oakland-Hayward, CA",
    "userAgent": '"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2 (KHTML, like Gecko)'
    ' Version/7.0 Mobile/11D257 Safari/9537.53"',
}
CAMDEN = {
    "location": "Camden, NJ",
    "userAgent": "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0",
}

EVENTS = [
    # User 1 upgrades within the first session, and is free again nine days later.
    play(0, "1", sessionId=11, **NEW_YORK),
    view(60, "1", page="Upgrade", sessionId=11, status=200, **NEW_YORK),
    view(120, "1", page="Submit Upgrade", sessionId=11, status=307, **NEW_YORK),
    play(180, "1", "paid", sessionId=11, **NEW_YORK),
    play(9 * DAY, "1", sessionId=12, **LOST, **NEW_YORK),
    # User 2 is paid from the start.
    play(DAY, "2", "paid", sessionId=21, **LATE, **OAKLAND),
    view(DAY + 10, "2", "paid", page="Error", sessionId=21, status=400, **OAKLAND),
    play(8 * DAY, "2", "paid", sessionId=22, **OAKLAND),
    play(8 * DAY + 3600, "2", "paid", sessionId=22, **OAKLAND),
    # User 3 plays nothing: begins logged out, then looks at the price of an upgrade.
    view(DAY + 15, "3", sessionId=31, userId=None, auth="Logged Out"),
    view(DAY + 20, "3", sessionId=31),
    view(DAY + 25, "3", page="Upgrade", sessionId=31),
    # User 4 is absent in the second week, without location and browser; user 5 begins in it.
    play(200, "4", sessionId=41, **LOST),
    play(12 * DAY, "4", sessionId=42, **LOST),
    play(9 * DAY + 100, "5", sessionId=51, **CAMDEN),
]


def deliver(warehouse: Sandbox) -> None:
    """Load the fortnight, a song that was played, and a bad record."""
    write(warehouse.song_data / "heard.json", song("SOHEARD", HEARD, "ARKNOWN"))
    write(warehouse.log_data / "events.json", *EVENTS, "{broken")
    warehouse.etl()
