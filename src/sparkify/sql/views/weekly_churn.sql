-- weekly_churn: one row per week that has a play: who came, who came back, and who did not.
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
)
select
    this.week,
    this.listeners,
    this.new_listeners,
    this.kept_listeners,
    this.returned_listeners,
    coalesce(before.listeners, 0) - this.kept_listeners as lost_listeners,
    cast(before.listeners - this.kept_listeners as double precision) / before.listeners as churn
from counts as this
left join counts as before on before.week = this.week - 7
