-- daily_listeners: one row per day, up to the last play, on which or in the 29 days before which something was played.
-- A listener is a user who started a song; looking at pages alone does not count. Days are days of UTC.
-- day: The day.
-- plays: Songs played on that day.
-- listeners: Users who played something on that day.
-- listeners_7d: Users who played something on that day or in the 6 days before.
-- listeners_30d: Users who played something on that day or in the 29 days before.
-- stickiness: listeners / listeners_30d, the share of a month's listeners who come on a day. In the first 30 days of the
-- data it is too high, since the month is not full yet.
with active as (
    select user_id, cast(start_time as date) as day, count(*) as plays
    from songplays
    group by user_id, cast(start_time as date)
),
days_back as (
    select cast(tens.n * 10 + ones.n as integer) as n
    from (select 0 as n union all select 1 union all select 2) as tens
    cross join (
        select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
    ) as ones
),
seen as (
    select
        active.user_id,
        active.day + days_back.n as day,
        min(days_back.n) as days_ago,
        max(case when days_back.n = 0 then active.plays else 0 end) as plays
    from active
    cross join days_back
    group by active.user_id, active.day + days_back.n
)
select
    day,
    cast(sum(plays) as bigint) as plays,
    count(case when days_ago = 0 then 1 end) as listeners,
    count(case when days_ago < 7 then 1 end) as listeners_7d,
    count(*) as listeners_30d,
    cast(count(case when days_ago = 0 then 1 end) as double precision) / count(*) as stickiness
from seen
where day <= (select max(day) from active)
group by day
