"""Which tables there are, and in which order a batch goes into them."""

from __future__ import annotations

FACTS = ("songplays", "page_views")
DIMENSIONS = ("users", "songs", "artists", "time", "tracks")
RUNS = "etl_runs"
OPERATIONS = ("catalogue", "etl_files", RUNS, "rejected_records")
ALL = (*FACTS, *DIMENSIONS, *OPERATIONS)

KEYS = {
    "songplays": "songplay_id",
    "page_views": "page_view_id",
    "users": "user_id",
    "songs": "song_id",
    "artists": "artist_id",
    "time": "start_time",
    "tracks": "track_id",
    "catalogue": "song_id",
}
