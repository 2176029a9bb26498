-- top_listeners: one row per user with a play.
-- rank: The rank by number of plays, from 1; users with equally many plays share a rank.
-- user_id: The user.
-- first_name: The first name of the user; null if unknown.
-- last_name: The last name of the user; null if unknown.
-- plays: The number of plays.
-- hours: The total length of the songs played, in hours; a song that the user left early counts in full.
-- last_played_at: The time of the last play, in UTC.
-- @period none
select
    rank() over (order by counted.plays desc) as rank,
    counted.user_id,
    u.first_name,
    u.last_name,
    counted.plays,
    counted.hours,
    counted.last_played_at
from (
    select
        p.user_id,
        count(*) as plays,
        coalesce(sum(t.duration), 0) / 3600.0 as hours,
        max(p.start_time) as last_played_at
    from songplays as p
    join tracks as t on t.track_id = p.track_id
    group by p.user_id
) as counted
join users as u on u.user_id = counted.user_id
