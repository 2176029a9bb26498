-- songplays: one row per NextSong event.
-- songplay_id: The unique key: ts, sessionId, itemInSession and userId of the event, joined by hyphens.
-- start_time: The time at which the song started, in UTC, to the millisecond.
-- user_id: The user who played the song.
-- level: The user's subscription level at that time: free or paid.
-- song_id: The catalogue song with exactly the same title, artist and duration; null if there is none.
-- artist_id: The artist of that song, otherwise the artist credited with exactly this name; null if there is none.
-- session_id: The app's identifier of the session.
-- item_in_session: The position of the event in its session, counted from 0.
-- location: The user's location according to the app: a metropolitan area and its states; null if unknown.
-- user_agent: The user agent string of the browser; null if the browser sent none.
-- track_id: The track that was played, as the app logged it.
create table if not exists songplays (
    songplay_id varchar(160),
    start_time timestamp not null,
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
