-- daily_plays: one row per day with a play.
select cast(start_time as date) as day, count(*) as plays
from songplays
group by cast(start_time as date)
