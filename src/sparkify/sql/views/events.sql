-- events: one row per event of the app, plays and page views in one shape.
-- The other views that look at every kind of event stand on this one.
-- event_id: songplay_id or page_view_id.
-- start_time: When it happened, in UTC.
-- user_id: Who did it; null when logged out.
-- level: The subscription at that moment: free or paid.
-- page: What was asked for; NextSong is a play.
-- session_id: The session that the app counted it to.
-- item_in_session: Its place in the session; settles which of two events of one millisecond came first.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
select
    songplay_id as event_id, start_time, user_id, level, 'NextSong' as page, session_id, item_in_session, location,
    user_agent
from songplays
union all
select page_view_id, start_time, user_id, level, page, session_id, item_in_session, location, user_agent
from page_views
