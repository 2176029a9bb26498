-- every_play_has_its_track: one row per play whose track_id is null or not in tracks.
select f.songplay_id, f.track_id
from songplays as f
where
    f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and not exists (select 1 from tracks as d where d.track_id = f.track_id)
