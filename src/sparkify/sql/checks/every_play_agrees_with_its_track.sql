-- every_play_agrees_with_its_track: one row per play whose song_id or artist_id differs from that of its track.
select p.songplay_id, p.song_id, t.song_id as song_id_of_track, p.artist_id, t.artist_id as artist_id_of_track
from songplays as p
join tracks as t on t.track_id = p.track_id
where
    p.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    and (coalesce(p.song_id, '') <> coalesce(t.song_id, '') or coalesce(p.artist_id, '') <> coalesce(t.artist_id, ''))
