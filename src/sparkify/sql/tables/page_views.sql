-- page_views: one row per event that is not a play.
-- page_view_id: ts-sessionId-itemInSession-userId of the event: unique, and in the order of time.
-- start_time: When the page was asked for, in UTC, to the millisecond.
-- user_id: Who asked for it; null when logged out.
-- level: The subscription at that moment: free or paid. The app writes one even for those who are logged out.
-- page: Which page: Home, Login, Upgrade, Submit Upgrade, Error and so on; never NextSong.
-- auth: Logged In or Logged Out.
-- method: The method of the HTTP request: GET or PUT.
-- status: The status of the HTTP answer: 200, 307, 404.
-- session_id: The session that the app counted the event to.
-- item_in_session: Its place in the session, from 0.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp,
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
