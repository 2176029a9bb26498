-- headline: one row: what was heard in all, by how many, in how many sessions.
select plays.plays, plays.listeners, plays.hours, visits.sessions, visits.minutes
from (
    select count(*) as plays, count(distinct p.user_id) as listeners, coalesce(sum(t.duration), 0) / 3600.0 as hours
    from songplays as p
    join tracks as t on t.track_id = p.track_id
) as plays
cross join (select count(*) as sessions, avg(minutes) as minutes from sessions) as visits
