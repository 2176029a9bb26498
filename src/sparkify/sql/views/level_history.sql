-- level_history: one row per user and stretch of time at one level, without gaps.
-- The level is what the app wrote on the user's events, in the order of time and of the place in the session.
-- user_id: Whose level.
-- level: free or paid.
-- valid_from: The first event at this level; what was before the data begins is not known.
-- valid_to: The first event at the next level; null for the level that stands.
-- level_before: The level before this one; null for the first that is known.
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
