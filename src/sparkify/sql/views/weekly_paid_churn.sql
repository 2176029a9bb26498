-- weekly_paid_churn: one row per week with an event: the paid users who became free, and those who became paid.
-- A user who changes level several times in a week counts by their level before and after the week. The app does not log
-- who leaves, so a paid user without events stays paid.
-- week: The Monday of the week, in UTC.
-- paid_users: The number of users at level paid at the end of the week.
-- gained_paid_users: The number of users at level paid at the end of the week, but not before the week.
-- lost_paid_users: The number of users at level paid before the week, but not at its end.
-- paid_churn: lost_paid_users / the number of users at level paid before the week; null if there were none.
-- @period week
with changes as (
    select
        user_id,
        cast(date_trunc('week', valid_from) as date) as week,
        sum(case when level = 'paid' then 1 when level_before = 'paid' then -1 else 0 end) as change
    from level_history
    group by user_id, cast(date_trunc('week', valid_from) as date)
),
counts as (
    select
        week,
        count(case when change = 1 then 1 end) as gained,
        count(case when change = -1 then 1 end) as lost
    from changes
    group by week
),
balances as (
    select
        weeks.week,
        coalesce(counts.gained, 0) as gained,
        coalesce(counts.lost, 0) as lost,
        cast(sum(coalesce(counts.gained, 0) - coalesce(counts.lost, 0)) over (
            order by weeks.week rows between unbounded preceding and current row
        ) as bigint) as paid_users
    from (select distinct cast(date_trunc('week', start_time) as date) as week from events) as weeks
    left join counts on counts.week = weeks.week
)
select
    week,
    paid_users,
    gained as gained_paid_users,
    lost as lost_paid_users,
    cast(lost as double precision) / nullif(paid_users - gained + lost, 0) as paid_churn
from balances
