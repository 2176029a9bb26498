-- track_ids_are_unique: one row per track whose key is missing or given more than once.
select track_id, count(*) as times
from tracks
group by track_id
having count(*) > 1 or track_id is null
