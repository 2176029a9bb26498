-- events: one row per event of the app, with plays and page views in one shape.
-- Every view that counts all kinds of event reads this one.
-- event_id: The key of the event: songplay_id or page_view_id.
-- start_time: The time of the event, in UTC, to the millisecond.
-- user_id: The user who caused the event; null if logged out.
-- level: The subscription level at that time: free or paid.
-- page: The name of the page requested; NextSong for a play.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0. Of a user's events in one millisecond, the
-- highest position is the latest.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
-- @period none
select
    songplay_id as event_id, start_time, user_id, level, 'NextSong' as page, session_id, item_in_session, location,
    user_agent
from songplays
union all
select page_view_id, start_time, user_id, level, page, session_id, item_in_session, location, user_agent
from page_views
