-- headline: one row: the number of plays, listeners and hours.
select count(*) as plays, count(distinct p.user_id) as listeners, coalesce(sum(t.duration), 0) / 3600.0 as hours
from songplays as p
join tracks as t on t.track_id = p.track_id
