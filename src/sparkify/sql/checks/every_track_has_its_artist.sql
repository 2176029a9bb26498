-- every_track_has_its_artist: one row per track whose artist_id is not in artists.
select f.track_id, f.artist_id
from tracks as f
where f.artist_id is not null and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
