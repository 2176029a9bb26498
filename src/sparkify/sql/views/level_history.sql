-- level_history: one row per user and period at one subscription level, without gaps.
-- The level is the one that the app logs with each event, in the order of time and of the position in the session.
-- user_id: The user.
-- level: The subscription level in the period: free or paid.
-- valid_from: The time of the first event at this level, in UTC; the level before the first event is unknown.
-- valid_to: The time of the first event at the next level, in UTC; null for the latest level.
-- level_before: The previous level; null for the first known level.
-- @period valid_from
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
    from events
    where user_id is not null and level is not null
) as changes
where level_before is null or level_before <> level
