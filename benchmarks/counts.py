"""Print what a warehouse of ours holds, in the words in which its rivals are counted too.

    python counts.py WAREHOUSE.duckdb

Rivals build the original's five tables, from plays alone. Ours has more: `users` and `time` also know those who only
viewed pages, so the users and the moments of plays are counted here.
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
