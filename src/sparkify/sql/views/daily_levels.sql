-- daily_levels: one row per day with an event: the number of free and paid users at the end of the day.
-- A user is counted from their first event with a level, and is never removed: no event says that a user has left.
-- day: The day, in UTC.
-- users: The number of users seen so far whose level is known: free_users + paid_users.
-- free_users: The number of those users at level free at the end of the day.
-- paid_users: The number of those users at level paid at the end of the day.
-- upgrades: The number of changes from free to paid on that day.
-- downgrades: The number of changes from paid to free on that day.
-- @period day
select
    day,
    count(case when is_current then 1 end) as users,
    count(case when is_current and level = 'free' then 1 end) as free_users,
    count(case when is_current and level = 'paid' then 1 end) as paid_users,
    count(case when is_change and level = 'paid' then 1 end) as upgrades,
    count(case when is_change and level = 'free' then 1 end) as downgrades
from (
    select
        days.day,
        h.level,
        h.user_id is not null and (h.valid_to is null or h.valid_to >= days.next_day) as is_current,
        h.level_before is not null and h.valid_from >= days.day as is_change
    from (
        select distinct cast(start_time as date) as day, cast(start_time as date) + 1 as next_day
        from events
    ) as days
    left join level_history as h
        on h.valid_from < days.next_day and (h.valid_to is null or h.valid_to >= days.day)
) as levels
group by day
