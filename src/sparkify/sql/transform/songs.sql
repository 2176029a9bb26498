-- songs: one row per song that the batch adds or changes.
select c.song_id, c.title, c.artist_id, c.year, c.duration, c.artist_name
from catalogue as c
join staging_songs as s on s.song_id = c.song_id
where not s.duplicate
