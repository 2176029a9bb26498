-- weekly_churn: one row per week, up to the last play, in which or in the week before which something was played.
-- It says who came, who came back, and who did not; of weeks without any play, only the first has a row, with its lost.
-- Lost is who played in the week before and not in this one; they may return later. The first week loses nobody, and
-- the last one may not be over yet.
-- week: The Monday of the week, in UTC.
-- listeners: Users who played something in this week.
-- new_listeners: Those who had never played before.
-- kept_listeners: Those who had played in the week before.
-- returned_listeners: Those who had played earlier, and not in the week before.
-- lost_listeners: Users who had played in the week before, and did not in this one.
-- churn: lost_listeners / the listeners of the week before; null where nobody listened then.
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
        count(case when week_before = week - 7 then 1 end) as kept_listeners,
        count(case when week_before < week - 7 then 1 end) as returned_listeners
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
    coalesce(this.kept_listeners, 0) as kept_listeners,
    coalesce(this.returned_listeners, 0) as returned_listeners,
    coalesce(before.listeners, 0) - coalesce(this.kept_listeners, 0) as lost_listeners,
    cast(before.listeners - coalesce(this.kept_listeners, 0) as double precision) / before.listeners as churn
from calendar
left join counts as this on this.week = calendar.week
left join counts as before on before.week = calendar.week - 7
