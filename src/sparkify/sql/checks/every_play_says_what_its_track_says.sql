-- every_play_says_what_its_track_says: one row per play whose song or artist is not the one of its track.
with said as (  -- once per track, not once per play: text takes time to compare
    select distinct track_id, coalesce(song_id, '') as song_id, coalesce(artist_id, '') as artist_id
    from songplays
    where start_time between (select first_time from checked_period) and (select last_time from checked_period)
),
contradictions as (
    select
        said.track_id, said.song_id, said.artist_id, t.song_id as song_id_of_track, t.artist_id as artist_id_of_track
    from said
    join tracks as t on t.track_id = said.track_id
    where said.song_id <> coalesce(t.song_id, '') or said.artist_id <> coalesce(t.artist_id, '')
)
select p.songplay_id, p.song_id, c.song_id_of_track, p.artist_id, c.artist_id_of_track
from songplays as p
join contradictions as c
    on c.track_id = p.track_id and c.song_id = coalesce(p.song_id, '') and c.artist_id = coalesce(p.artist_id, '')
where p.start_time between (select first_time from checked_period) and (select last_time from checked_period)
