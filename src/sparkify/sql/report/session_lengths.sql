-- session_lengths: one row per day and class of length, with the sessions that began on the day, at their full length.
-- @period day
select
    day,
    place,
    length,
    count(*) as sessions,
    cast(sum(plays) as bigint) as plays,
    sum(minutes) as minutes
from (
    select
        cast(started_at as date) as day,
        plays,
        minutes,
        case
            when minutes < 1 then 1
            when minutes < 10 then 2
            when minutes < 30 then 3
            when minutes < 60 then 4
            when minutes < 120 then 5
            when minutes < 240 then 6
            else 7
        end as place,
        case
            when minutes < 1 then 'under 1 min'
            when minutes < 10 then '1–10 min'
            when minutes < 30 then '10–30 min'
            when minutes < 60 then '30–60 min'
            when minutes < 120 then '1–2 h'
            when minutes < 240 then '2–4 h'
            else '4 h and more'
        end as length
    from sessions
) as classes
group by day, place, length
