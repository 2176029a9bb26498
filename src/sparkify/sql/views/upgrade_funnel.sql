-- upgrade_funnel: one row per step from free to paid, with the number of users who reached it.
-- A user counts once per step, and only if the step is at or after the previous one. Users who were paid from the start
-- of the data count only if they were free at some time.
-- step: The number of the step, 1 to 4.
-- name: The name of the step: Free (any event at that level), Upgrade page (viewed at level free), Submitted (the form
-- of that page was sent), Paid (an event at that level).
-- users: The number of users who reached the step.
-- share_of_first: users / users of step 1; null if nobody reached step 1.
-- share_of_previous: users / users of the previous step; null for step 1, or if nobody reached the previous step.
-- @period none
with viewed as (
    select user_id, min(start_time) as first_time
    from page_views
    where page = 'Upgrade' and level = 'free' and user_id is not null
    group by user_id
),
submitted as (
    select v.user_id, min(v.start_time) as first_time
    from page_views as v
    join viewed on viewed.user_id = v.user_id
    where v.page = 'Submit Upgrade' and v.start_time >= viewed.first_time
    group by v.user_id
),
steps as (
    select 1 as step, 'Free' as name, count(distinct user_id) as users
    from events
    where level = 'free' and user_id is not null
    union all
    select 2, 'Upgrade page', count(*)
    from viewed
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
