-- decided_rows: one row per staged event that is kept or a duplicate, with the columns of staging_events.
select
    artist, auth, firstName, gender, itemInSession, lastName, length, level, location, method, page, registration,
    sessionId, song, status, ts, userAgent, userId,
    -- @redshift length_text,
    file_id, duplicate
from decided_events
where not contradicts
