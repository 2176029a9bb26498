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
    left join (
        select start_time
        from time
        where start_time between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999'
    ) as known on known.start_time = e.start_time
    where not e.duplicate and known.start_time is null
) as moments
-- @postgresql order by start_time
