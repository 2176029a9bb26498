-- track_ids_are_unique: one row per track_id that is null or occurs more than once.
select track_id, count(*) as times
from tracks
group by track_id
having count(*) > 1 or track_id is null
