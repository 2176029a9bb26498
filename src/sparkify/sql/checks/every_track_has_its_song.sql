-- every_track_has_its_song: one row per track whose song_id is not in songs.
select f.track_id, f.song_id
from tracks as f
where f.song_id is not null and not exists (select 1 from songs as d where d.song_id = f.song_id)
