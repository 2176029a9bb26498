-- weekly_churn: one row per week with a play in it or in the week before, up to the week of the last play.
-- A lost listener has a play in the week before and none in this one; they may return later. The first week loses
-- nobody, and the last one may be incomplete. Of consecutive weeks without a play, only the first has a row.
-- week: The Monday of the week, in UTC.
-- listeners: The number of users with a play in this week.
-- new_listeners: The number of listeners without an earlier play.
-- returning_listeners: The number of listeners with a play in the week before.
-- resurrected_listeners: The number of listeners with an earlier play, but none in the week before.
-- lost_listeners: The number of users with a play in the week before and none in this week.
-- churn: lost_listeners / listeners of the week before; null if nobody listened then.
-- @period week
with weeks as (
    select distinct user_id, cast(date_trunc('week', start_time) as date) as week
    from songplays
),
visits as (
    select user_id, week, lag(week) over (partition by user_id order by week) as week_before
    from weeks
),
counts as (
    select
        week,
        count(*) as listeners,
        count(case when week_before is null then 1 end) as new_listeners,
        count(case when week_before = week - 7 then 1 end) as returning_listeners,
        count(case when week_before < week - 7 then 1 end) as resurrected_listeners
    from visits
    group by week
),
calendar as (
    select week from counts
    union
    select week + 7 from counts where week < (select max(week) from counts)
)
select
    calendar.week,
    coalesce(this.listeners, 0) as listeners,
    coalesce(this.new_listeners, 0) as new_listeners,
    coalesce(this.returning_listeners, 0) as returning_listeners,
    coalesce(this.resurrected_listeners, 0) as resurrected_listeners,
    coalesce(before.listeners, 0) - coalesce(this.returning_listeners, 0) as lost_listeners,
    cast(before.listeners - coalesce(this.returning_listeners, 0) as double precision) / before.listeners as churn
from calendar
left join counts as this on this.week = calendar.week
left join counts as before on before.week = calendar.week - 7
