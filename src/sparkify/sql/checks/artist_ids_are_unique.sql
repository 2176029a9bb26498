-- artist_ids_are_unique: one row per artist_id that is null or occurs more than once.
select artist_id, count(*) as times
from artists
group by artist_id
having count(*) > 1 or artist_id is null
