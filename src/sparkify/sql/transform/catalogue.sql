-- catalogue: one row per song that the batch adds or changes.
select
    song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, duration,
    nullif(year, 0) as year
from staging_songs
where not duplicate
