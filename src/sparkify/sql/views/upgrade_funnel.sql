-- upgrade_funnel: one row per step on the way from free to paid, with the users who got that far.
-- A user counts once a step, and only with a step at or after the one before. Who was paid from the start, or before
-- the data begins, is in the funnel only if they were free at some time.
-- step: 1 to 4.
-- name: Free (any event at that level), Upgrade page (saw it while free), Submitted (sent its form), Paid (an event at
-- that level).
-- users: Users who got to this step.
-- share_of_first: users / the users of step 1.
-- share_of_previous: users / the users of the step before; null for the first.
with asked as (
    select user_id, min(start_time) as first_time
    from page_views
    where page = 'Upgrade' and level = 'free' and user_id is not null
    group by user_id
),
submitted as (
    select v.user_id, min(v.start_time) as first_time
    from page_views as v
    join asked on asked.user_id = v.user_id
    where v.page = 'Submit Upgrade' and v.start_time >= asked.first_time
    group by v.user_id
),
steps as (
    select 1 as step, 'Free' as name, count(distinct user_id) as users
    from events
    where level = 'free' and user_id is not null
    union all
    select 2, 'Upgrade page', count(*)
    from asked
    union all
    select 3, 'Submitted', count(*)
    from submitted
    union all
    select 4, 'Paid', count(distinct e.user_id)
    from events as e
    join submitted on submitted.user_id = e.user_id
    where e.level = 'paid' and e.start_time >= submitted.first_time
)
select
    step,
    name,
    users,
    cast(users as double precision) / nullif(max(case when step = 1 then users end) over (), 0) as share_of_first,
    cast(users as double precision) / nullif(lag(users) over (order by step), 0) as share_of_previous
from steps
