"""Synthetic data has the shape of the real data, the same bytes everywhere, and an account of all its dirt."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sparkify import listeners
from sparkify.dirt import BAD_EVENTS, BAD_SONGS, DAY_FORMS, HARMLESS_EVENTS, HARMLESS_SONGS, REPAIRED
from sparkify.errors import ConfigError, SourceError
from sparkify.generate import (
    ARTIST_IN_CATALOGUE,
    COORDINATES_UNKNOWN,
    IN_CATALOGUE,
    NEW_ARTIST,
    PLACE_UNKNOWN,
    YEAR_UNKNOWN,
    Generated,
    generate,
)
from sparkify.listeners import FIRST_DAY, HOURS, NEW_LEVEL, PAID_SHARE, WEEKDAYS
from sparkify.text import repair

Record = dict[str, Any]

EVENT_KEYS = (
    "artist auth firstName gender itemInSession lastName length level location method page registration sessionId song "
    "status ts userAgent userId"
).split()  # fmt: skip
SONG_KEYS = (
    "num_songs artist_id artist_latitude artist_longitude artist_location artist_name song_id title duration year"
).split()  # fmt: skip
WHOLE = {"ts", "sessionId", "itemInSession", "status", "year", "num_songs"}
NUMBERS = WHOLE | {"length", "registration", "duration", "artist_latitude", "artist_longitude"}
PER_USER_AND_DAY = 8056 / 97 / 30  # events, in the public sample
