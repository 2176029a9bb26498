-- listening_by_hour: one row per weekday and hour with a play.
-- Hours are UTC hours: the logs do not record the listener's local time.
-- weekday: The day of the week, from 0 (Sunday) to 6 (Saturday).
-- hour: The hour of the day, 0 to 23.
-- plays: The number of plays started in that hour.
-- listeners: The number of users with such a play.
-- @period none
select
    cast(extract(dow from start_time) as integer) as weekday,
    cast(extract(hour from start_time) as integer) as hour,
    count(*) as plays,
    count(distinct user_id) as listeners
from songplays
group by extract(dow from start_time), extract(hour from start_time)
