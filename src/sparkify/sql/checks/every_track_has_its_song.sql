-- every_track_has_its_song: one row per track whose song_id is not in songs.
select f.track_id, f.song_id
from tracks as f
left join songs as d on d.song_id = f.song_id
where f.song_id is not null and d.song_id is null
