-- daily_levels: one row per day that has an event: how many users are free and paid at its end.
-- A user counts from their first event with a level on, and is never taken off: the app does not say who has left.
-- day: The day, in UTC.
-- users: Users seen so far whose level is known: free_users + paid_users.
-- free_users: Those of them at level free when the day ends.
-- paid_users: Those of them at level paid when the day ends.
-- upgrades: Changes from free to paid on that day.
-- downgrades: Changes from paid to free on that day.
select
    day,
    count(case when stands then 1 end) as users,
    count(case when stands and level = 'free' then 1 end) as free_users,
    count(case when stands and level = 'paid' then 1 end) as paid_users,
    count(case when changes and level = 'paid' then 1 end) as upgrades,
    count(case when changes and level = 'free' then 1 end) as downgrades
from (
    select
        days.day,
        h.level,
        h.user_id is not null and (h.valid_to is null or h.valid_to >= days.next_day) as stands,
        h.level_before is not null and h.valid_from >= days.day as changes
    from (
        select distinct cast(start_time as date) as day, cast(start_time as date) + 1 as next_day
        from events
    ) as days
    left join level_history as h
        on h.valid_from < days.next_day and (h.valid_to is null or h.valid_to >= days.day)
) as levels
group by day
