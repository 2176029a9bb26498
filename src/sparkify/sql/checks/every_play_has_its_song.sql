-- every_play_has_its_song: one row per play whose song_id is not in songs.
select f.songplay_id, f.song_id
from songplays as f
where
    f.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and f.song_id is not null
    and not exists (select 1 from songs as d where d.song_id = f.song_id)
