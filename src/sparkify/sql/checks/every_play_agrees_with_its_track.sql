-- every_play_agrees_with_its_track: one row per play whose song_id or artist_id differs from that of its track.
-- Distinct values are compared once per track instead of once per play, since comparing text is expensive.
with matches as (
    select distinct track_id, coalesce(song_id, '') as song_id, coalesce(artist_id, '') as artist_id
    from songplays
    where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
),
differences as (
    select
        matches.track_id, matches.song_id, matches.artist_id, t.song_id as song_id_of_track, t.artist_id as artist_id_of_track
    from matches
    join tracks as t on t.track_id = matches.track_id
    where matches.song_id <> coalesce(t.song_id, '') or matches.artist_id <> coalesce(t.artist_id, '')
)
select p.songplay_id, p.song_id, c.song_id_of_track, p.artist_id, c.artist_id_of_track
from songplays as p
join differences as c
    on c.track_id = p.track_id and c.song_id = coalesce(p.song_id, '') and c.artist_id = coalesce(p.artist_id, '')
where p.start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
