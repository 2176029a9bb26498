-- top_tracks: one row per title and artist that was played, whatever the recording's length.
-- Titles are the app's own, so songs that the catalogue does not know count too. There is no skip rate: the app does
-- not say when a song ended.
-- place: 1 for the most plays; those with as many share a place.
-- title: The song, as the app named it.
-- artist_name: The artist, as the app named them.
-- plays: How often it was started.
-- listeners: By how many users.
-- hours: plays × length of the recording; a song that was left early counts in full.
-- first_played_at: The first play, in UTC.
-- last_played_at: The last play, in UTC.
select
    rank() over (order by plays desc) as place,
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
