-- every_song_has_its_artist: one row per song whose artist_id is not in artists.
select f.song_id, f.artist_id
from songs as f
left join artists as d on d.artist_id = f.artist_id
where f.artist_id is not null and d.artist_id is null
