-- listening_by_hour: one row per weekday and hour in which something was played.
-- Hours are of UTC: the logs do not say what the clock showed where the listener was.
-- weekday: 0 = Sunday to 6 = Saturday.
-- hour: 0 to 23.
-- plays: Songs started in that hour.
-- listeners: Users who started one.
select
    cast(extract(dow from start_time) as integer) as weekday,
    cast(extract(hour from start_time) as integer) as hour,
    count(*) as plays,
    count(distinct user_id) as listeners
from songplays
group by extract(dow from start_time), extract(hour from start_time)
