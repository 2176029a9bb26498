-- match_rate: one row per day with a play, and how many of its plays the catalogue knows.
-- A play is matched by title, artist and duration, all exactly; else perhaps its artist alone, by the exact name.
-- day: The day, in UTC.
-- plays: Songs played.
-- song_plays: Plays whose song the catalogue knows.
-- artist_plays: Plays whose artist the catalogue knows.
-- song_rate: song_plays / plays.
-- artist_rate: artist_plays / plays.
select
    cast(start_time as date) as day,
    count(*) as plays,
    count(song_id) as song_plays,
    count(artist_id) as artist_plays,
    cast(count(song_id) as double precision) / count(*) as song_rate,
    cast(count(artist_id) as double precision) / count(*) as artist_rate
from songplays
group by cast(start_time as date)
