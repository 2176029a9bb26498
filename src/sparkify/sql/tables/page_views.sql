-- page_views: one row per event that is not a play.
-- page_view_id: The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.
-- start_time: The time at which the page was requested, in UTC, to the millisecond.
-- user_id: The user who requested the page; null if logged out.
-- level: The subscription level at that time: free or paid. The app logs it for logged-out users too.
-- page: The name of the page: Home, Login, Upgrade, Submit Upgrade, Error and so on; never NextSong.
-- auth: The authentication state: Logged In or Logged Out.
-- method: The HTTP method of the request, such as GET or PUT.
-- status: The HTTP status code of the response, such as 200, 307 or 404.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp not null,
    user_id varchar(64),
    level varchar(16),
    page varchar(64),
    auth varchar(32),
    method varchar(16),
    status bigint,
    session_id bigint,
    item_in_session bigint,
    location varchar(512),
    user_agent varchar(1024)
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
