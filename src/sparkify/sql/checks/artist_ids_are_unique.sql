-- artist_ids_are_unique: one row per artist whose key is missing or given more than once.
select artist_id, count(*) as times
from artists
group by artist_id
having count(*) > 1 or artist_id is null
