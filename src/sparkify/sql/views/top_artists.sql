-- top_artists: one row per played artist, as the app credits them.
-- A credit with guests is an artist of its own: "A" and "A feat. B" are two.
-- rank: The rank by number of plays, from 1; artists with equally many plays share a rank.
-- artist_name: The name of the artist, as the app logs it.
-- plays: The number of plays of the artist's songs.
-- listeners: The number of users with such a play.
-- titles: The number of distinct titles played.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
-- @period none
select
    rank() over (order by plays desc) as rank,
    artist_name,
    plays,
    listeners,
    titles,
    hours
from (
    select
        t.artist_name,
        count(*) as plays,
        count(distinct p.user_id) as listeners,
        count(distinct t.title) as titles,
        sum(t.duration) / 3600.0 as hours
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by t.artist_name
) as counted
