-- every_play_has_its_user: one row per play whose user_id is null or not in users.
select f.songplay_id, f.user_id
from songplays as f
where
    f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and not exists (select 1 from users as d where d.user_id = f.user_id)
