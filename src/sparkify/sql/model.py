"""The names of all tables and views, and the keys of the tables."""

from graphlib import TopologicalSorter

from sparkify.sql import loader

FACTS = ("songplays", "page_views")
DIMENSIONS = ("users", "songs", "artists", "time", "tracks")
RUNS = "etl_runs"
OPERATIONS = ("catalogue", "etl_files", RUNS, "rejected_records")
ALL = (*FACTS, *DIMENSIONS, *OPERATIONS)
RETIRED = ("checked_period",)
"""The tables of earlier layouts, which `create-tables` drops."""


def _views() -> tuple[str, ...]:
    """Return the names of the files in sql/views, each after those of the views that it reads."""
    files = loader.names("views")
    reads = {view: sorted(loader.reads(loader.read(f"views/{view}", "")) & {*files}) for view in files}
    return tuple(TopologicalSorter(reads).static_order())


VIEWS = _views()

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

INDEXES = {
    "songplays": ("start_time", "track_id"),
    "page_views": ("start_time",),
    "time": ("start_time",),
    "tracks": ("track_id",),
}
"""The columns with an index on PostgreSQL; the other engines skip blocks by the smallest and largest value of each."""

STAGING = ("staging_events", "staging_songs", "staging_files", "staging_rejects")

ORDER = ("catalogue", "songs", "artists", "users", "tracks", "songplays", "page_views", "time")
"""The tables in the order in which a batch fills them, each by the file of its name in sql/transform."""
