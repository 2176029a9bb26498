-- favourite_hour: one row per hour of the day with a play.
select hour, cast(sum(plays) as bigint) as plays
from listening_by_hour
group by hour
