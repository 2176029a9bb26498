-- time: one row per new moment of the batch.
select
    start_time,
    cast(extract(hour from start_time) as integer) as hour,
    cast(extract(day from start_time) as integer) as day,
    cast(extract(week from start_time) as integer) as week,
    cast(extract(month from start_time) as integer) as month,
    cast(extract(year from start_time) as integer) as year,
    cast(extract(dow from start_time) as integer) as weekday
from (
    select distinct e.start_time
    from staged_events as e
    left join time on time.start_time = e.start_time
    where not e.duplicate and time.start_time is null
) as moments
