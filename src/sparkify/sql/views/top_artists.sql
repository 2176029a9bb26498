-- top_artists: one row per artist that was played, as the app credited them.
-- A guest's credit is a name of its own: "A" and "A feat. B" are two.
-- place: 1 for the most plays; those with as many share a place.
-- artist_name: The artist, as the app named them.
-- plays: How often one of their songs was started.
-- listeners: By how many users.
-- titles: How many different titles of theirs were played.
-- hours: plays × length of the recording; a song that was left early counts in full.
select
    rank() over (order by plays desc) as place,
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
