-- every_track_has_its_artist: one row per track whose artist_id is not in artists.
select f.track_id, f.artist_id
from tracks as f
left join artists as d on d.artist_id = f.artist_id
where f.artist_id is not null and d.artist_id is null
