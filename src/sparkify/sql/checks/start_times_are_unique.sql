-- start_times_are_unique: one row per start_time that occurs more than once.
select start_time, count(*) as times
from time
where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
group by start_time
having count(*) > 1
