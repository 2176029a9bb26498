-- start_times_are_unique: one row per start_time that is null or occurs more than once.
select start_time, count(*) as times
from time
where start_time is null or start_time between (select first_time from checked_period) and (select last_time from checked_period)
group by start_time
having count(*) > 1 or start_time is null
