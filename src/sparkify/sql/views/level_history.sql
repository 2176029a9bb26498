-- level_history: one row per user and period at one subscription level, without gaps.
-- The level is the one that the app logs with each event, in the order of time and of the position in the session.
-- user_id: The user.
-- level: The subscription level in the period: free or paid.
-- valid_from: The time of the first event at this level, in UTC; the level before the first event is unknown.
-- valid_to: The time of the first event at the next level, in UTC; null for the latest level.
-- level_before: The previous level; null for the first known level.
-- @period valid_from
with days as (
    select
        user_id,
        cast(start_time as date) as day,
        min(level) as level,
        max(level) as other_level,
        min(start_time) as start_time
    from events
    where user_id is not null and level is not null
    group by user_id, cast(start_time as date)
),
candidates as ( -- on a day at one level, only the first event can be a change; sorting every event takes three times as long
    select user_id, level, start_time, 0 as item_in_session, '' as event_id
    from days
    where level = other_level
    union all
    select e.user_id, e.level, e.start_time, e.item_in_session, e.event_id
    from days
    join events as e on e.user_id = days.user_id and cast(e.start_time as date) = days.day
    where days.level <> days.other_level and e.level is not null
)
select
    user_id,
    level,
    start_time as valid_from,
    lead(start_time) over (partition by user_id order by start_time, item_in_session, event_id) as valid_to,
    level_before
from (
    select
        user_id,
        level,
        start_time,
        item_in_session,
        event_id,
        lag(level) over (partition by user_id order by start_time, item_in_session, event_id) as level_before
    from candidates
) as changes
where level_before is null or level_before <> level
