-- weekly_retention: one row per weekly cohort of listeners and week since, from the cohort's first week on.
-- A cohort is the users whose first play is in the same week. The data's first week has no cohort, since users who
-- listened before look new in it. The last week counts only if the data reaches its Sunday. Of consecutive weeks without
-- a play, only the first has rows.
-- cohort_week: The Monday of the week of the cohort's first plays, in UTC.
-- weeks_since: The number of whole weeks since then; 0 is the first week.
-- cohort_listeners: The number of users in the cohort.
-- active_listeners: The number of those users with a play in that week.
-- retention: active_listeners / cohort_listeners.
-- @period cohort_week
with reach as (
    select
        cast(date_trunc('week', min(start_time)) as date) as first_week,
        cast(max(start_time) as date) as last_day
    from time
),
weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
firsts as (
    select user_id, min(week) as cohort_week
    from weeks
    group by user_id
),
calendar as (
    select week from weeks
    union
    select week + 7 from weeks where week < (select max(week) from weeks)
),
sizes as (
    select cohort_week, count(*) as listeners
    from firsts
    group by cohort_week
),
visits as (
    select firsts.cohort_week, weeks.week, count(*) as listeners
    from firsts
    join weeks on weeks.user_id = firsts.user_id
    group by firsts.cohort_week, weeks.week
)
select
    sizes.cohort_week,
    cast(floor((calendar.week - sizes.cohort_week) / 7.0) as integer) as weeks_since,
    sizes.listeners as cohort_listeners,
    coalesce(visits.listeners, 0) as active_listeners,
    cast(coalesce(visits.listeners, 0) as double precision) / sizes.listeners as retention
from sizes
join reach on sizes.cohort_week > reach.first_week
join calendar on calendar.week >= sizes.cohort_week and calendar.week + 6 <= reach.last_day
left join visits on visits.cohort_week = sizes.cohort_week and visits.week = calendar.week
