-- page_views: one row per new page view of the batch.
select
    event_id as page_view_id, start_time, userId as user_id, level, page, auth, method, status,
    sessionId as session_id, itemInSession as item_in_session, location, userAgent as user_agent
from staged_events
where not is_play and not duplicate
