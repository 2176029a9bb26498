-- songs: one row per song.
select song_id, title, artist_id, nullif(year, 0) as year, duration
from {{ ref("catalogue") }}
