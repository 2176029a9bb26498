-- every_play_has_its_time: one row per play whose start_time is not in time, or missing.
select f.songplay_id, f.start_time
from songplays as f
where
    (
        f.start_time is null
        or f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    )
    and not exists (select 1 from time as d where d.start_time = f.start_time)
