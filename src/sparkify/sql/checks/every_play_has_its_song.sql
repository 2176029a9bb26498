-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    f.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id)
