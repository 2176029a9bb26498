-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
