-- daily_match_rate: one row per day with a play: how many of its plays match the catalogue.
-- A play matches a song of the same title, artist and duration; otherwise, it may match an artist of the same name.
-- day: The day, in UTC.
-- plays: The number of plays.
-- song_plays: The number of plays that match a song.
-- artist_plays: The number of plays that match an artist.
-- song_rate: song_plays / plays.
-- artist_rate: artist_plays / plays.
-- @period day
select
    cast(start_time as date) as day,
    count(*) as plays,
    count(song_id) as song_plays,
    count(artist_id) as artist_plays,
    cast(count(song_id) as double precision) / count(*) as song_rate,
    cast(count(artist_id) as double precision) / count(*) as artist_rate
from songplays
group by cast(start_time as date)
