-- every_play_has_its_user: one row per play whose user_id is not in users, or missing.
select f.songplay_id, f.user_id
from songplays as f
left join users as d on d.user_id = f.user_id
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and d.user_id is null
