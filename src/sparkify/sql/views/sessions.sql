-- sessions: one row per session of a user.
-- Events before the login have no user, and do not count.
-- session_id: The app's identifier of the session.
-- user_id: The user of the session.
-- started_at: The time of the first event, in UTC.
-- ended_at: The time of the last event, in UTC; the log does not record how long a last song was played.
-- minutes: The time from the first to the last event, in minutes, computed from whole seconds; 0 for a single event.
-- plays: The number of plays.
-- page_views: The number of page views.
-- @period started_at
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
