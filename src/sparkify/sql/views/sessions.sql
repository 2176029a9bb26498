-- sessions: one row per session of a user.
-- What somebody did before logging in belongs to nobody, and is not counted.
-- session_id: The session that the app counted the events to.
-- user_id: Whose session it was.
-- started_at: The first event.
-- ended_at: The beginning of the last event; how long a last song was heard is not known.
-- minutes: From the first to the last event, in whole seconds; 0 for a session of one event.
-- plays: Songs played.
-- page_views: Other pages seen.
select
    session_id,
    user_id,
    min(start_time) as started_at,
    max(start_time) as ended_at,
    cast(
        extract(epoch from date_trunc('second', max(start_time)))
        - extract(epoch from date_trunc('second', min(start_time))) as double precision
    ) / 60.0 as minutes,
    count(case when page = 'NextSong' then 1 end) as plays,
    count(case when page <> 'NextSong' then 1 end) as page_views
from events
where user_id is not null
group by session_id, user_id
