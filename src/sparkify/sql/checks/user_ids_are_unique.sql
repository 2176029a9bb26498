-- user_ids_are_unique: one row per user_id that is null or occurs more than once.
select user_id, count(*) as times
from users
group by user_id
having count(*) > 1 or user_id is null
