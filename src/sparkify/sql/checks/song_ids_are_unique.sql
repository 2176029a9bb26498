-- song_ids_are_unique: one row per song_id that is null or occurs more than once.
select song_id, count(*) as times
from songs
group by song_id
having count(*) > 1 or song_id is null
