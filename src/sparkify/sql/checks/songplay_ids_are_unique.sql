-- songplay_ids_are_unique: one row per songplay_id that is null or occurs more than once.
select songplay_id, count(*) as times
from songplays
where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
group by songplay_id
having count(*) > 1 or songplay_id is null
