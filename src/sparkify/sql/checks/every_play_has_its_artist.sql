-- every_play_has_its_artist: one row per play whose artist_id is not in artists.
select f.songplay_id, f.artist_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.artist_id is not null
    and not exists (select 1 from artists as d where d.artist_id = f.artist_id)
