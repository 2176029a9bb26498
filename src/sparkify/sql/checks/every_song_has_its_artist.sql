-- every_song_has_its_artist: one row per song whose artist_id is not in artists.
select f.song_id, f.artist_id
from songs as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
