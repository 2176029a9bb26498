-- top_tracks: one row per played title and artist, whatever the length of the recording.
-- Titles come from the app's logs, so songs that are missing from the catalogue are included. A skip rate cannot be
-- computed, because the app does not log when a song ends.
-- rank: The rank by number of plays, from 1; songs with equally many plays share a rank.
-- title: The title of the song, as the app logs it.
-- artist_name: The name of the artist, as the app logs it.
-- plays: The number of plays.
-- listeners: The number of users with such a play.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
-- first_played_at: The time of the first play, in UTC.
-- last_played_at: The time of the last play, in UTC.
-- @period none
select
    rank() over (order by plays desc) as rank,
    title,
    artist_name,
    plays,
    listeners,
    hours,
    first_played_at,
    last_played_at
from (
    select
        t.title,
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        sum(t.duration) / 3600.0 as hours,
        min(p.start_time) as first_played_at,
        max(p.start_time) as last_played_at
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.title, t.artist_name
) as counted
