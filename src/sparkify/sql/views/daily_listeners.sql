-- daily_listeners: one row per day with a play on it or in the 29 days before, up to the day of the last play.
-- A listener is a user who started a song; page views alone do not count. Days are UTC days.
-- day: The day, in UTC.
-- plays: The number of plays on that day.
-- hours: The total length of the songs played on that day, in hours; a song that the user left early counts in full.
-- listeners: The number of users with a play on that day.
-- listeners_7d: The number of users with a play on that day or in the 6 days before.
-- listeners_30d: The number of users with a play on that day or in the 29 days before.
-- stickiness: listeners / listeners_30d, the share of a month's listeners who listen on one day. It is too high in the
-- first 30 days of the data, which lack a full month.
-- @period day
with active as (
    select day, plays, seconds, lead(day) over (partition by user_id order by day) - day as days_to_next
    from (
        select p.user_id, cast(p.start_time as date) as day, count(*) as plays, coalesce(sum(t.duration), 0) as seconds
        from songplays as p
        join tracks as t on t.track_id = p.track_id
        group by p.user_id, cast(p.start_time as date)
    ) as per_user
),
days_back as (
    select cast(tens.n * 10 + ones.n as integer) as n
    from (select 0 as n union all select 1 union all select 2) as tens
    cross join (
        select 0 as n union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9
    ) as ones
),
recent as ( -- one row per user and day; a user counts from a day with a play until their next one, for 30 days at most
    select
        active.day + days_back.n as day,
        days_back.n as days_ago,
        case when days_back.n = 0 then active.plays else 0 end as plays,
        case when days_back.n = 0 then active.seconds else 0 end as seconds
    from active
    join days_back on days_back.n < coalesce(active.days_to_next, 30)
)
select
    day,
    cast(sum(plays) as bigint) as plays,
    sum(seconds) / 3600.0 as hours,
    count(case when days_ago = 0 then 1 end) as listeners,
    count(case when days_ago < 7 then 1 end) as listeners_7d,
    count(*) as listeners_30d,
    cast(count(case when days_ago = 0 then 1 end) as double precision) / count(*) as stickiness
from recent
where day <= (select max(day) from active)
group by day
