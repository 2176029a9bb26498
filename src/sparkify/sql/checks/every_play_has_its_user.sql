-- every_play_has_its_user: one row per play whose user_id is null or not in users.
select f.songplay_id, f.user_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and not exists (select 1 from users as d where d.user_id = f.user_id)
