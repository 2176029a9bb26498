-- songplay_ids_are_unique: one row per songplay_id that is null or occurs more than once.
select songplay_id, count(*) as times
from songplays
where start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by songplay_id
having count(*) > 1 or songplay_id is null
