-- songplays: one row per NextSong event.
-- songplay_id: ts-sessionId-itemInSession-userId of the event: unique, and in the order of time.
-- start_time: When the song was started, in UTC, to the millisecond.
-- user_id: Who played it.
-- level: The user's subscription at that moment: free or paid.
-- song_id: The song of the catalogue with the same title, artist and duration; null if it has none.
-- artist_id: That song's artist, else the one credited with exactly this name; null if there is none.
-- session_id: The session that the app counted the play to.
-- item_in_session: Its place in the session, from 0.
-- location: Where the app placed the listener: a metropolitan area and its states.
-- user_agent: The browser, as it names itself.
-- track_id: What was played, as the app named it.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    song_id varchar(64),
    artist_id varchar(64),
    session_id bigint,
    item_in_session bigint,
    location varchar(512),
    user_agent varchar(1024),
    track_id varchar(32)
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
