-- every_play_says_what_its_track_says: one row per play whose song or artist is not the one of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    p.start_time between (select first_time from checked_period) and (select last_time from checked_period)
    and (
        coalesce(p.song_id, '') <> coalesce(t.song_id, '')
        or coalesce(p.artist_id, '') <> coalesce(t.artist_id, '')
    )
