"""Print the row counts of a sparkify warehouse, under the same names as those of its rivals.

    python counts.py WAREHOUSE.duckdb

Rivals build the original's five tables, from plays alone. In sparkify, `users` and `time` also contain page views. So
this script counts only the users and timestamps of plays.
"""

from __future__ import annotations

import json
import sys

import duckdb

COUNTS = {
    "events": "select (select count(*) from songplays) + (select count(*) from page_views)",
    "songplays": "select count(*) from songplays",
    "users": "select count(distinct user_id) from songplays",
    "songs": "select count(*) from songs",
    "artists": "select count(*) from artists",
    "time": "select count(distinct start_time) from songplays",
    "matched plays": "select count(song_id) from songplays",
}

if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        print(json.dumps({name: (connection.execute(sql).fetchone() or [0])[0] for name, sql in COUNTS.items()}))
