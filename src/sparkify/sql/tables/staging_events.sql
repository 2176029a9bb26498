-- staging_events: one row per accepted event of the current batch, under the source's own names.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- artist: The name of the artist; null for most events that are not plays.
-- auth: The authentication state: Logged In or Logged Out.
-- firstName: The given name of the user; null if logged out.
-- gender: The gender of the user: F or M; null if logged out.
-- itemInSession: The position of the event in its session, counted from 0.
-- lastName: The family name of the user; null if logged out.
-- length: The length of the song, in seconds; null for most events that are not plays.
-- level: The subscription level at that time: free or paid.
-- location: The user's location according to the app: a metropolitan area and its states.
-- method: The HTTP method of the request.
-- page: The page requested; NextSong for a play.
-- registration: The time at which the user registered, in milliseconds since 1970 in UTC.
-- sessionId: The app's identifier of the session.
-- song: The title of the song; null for most events that are not plays.
-- status: The HTTP status code of the response.
-- ts: The time of the event, in milliseconds since 1970 in UTC.
-- userAgent: The user agent string of the browser.
-- userId: The app's identifier of the user; null if logged out.
-- file_id: The file that contains the event, in staging_files.
-- duplicate: Whether the event changes nothing.
create
-- @duckdb temp
-- @postgresql unlogged
table if not exists staging_events (
    artist varchar(512),
    auth varchar(32),
    firstName varchar(256),
    gender varchar(16),
    itemInSession bigint,
    lastName varchar(256),
    length double precision,
    level varchar(16),
    location varchar(512),
    method varchar(16),
    page varchar(64),
    registration bigint,
    sessionId bigint,
    song varchar(512),
    status bigint,
    ts bigint,
    userAgent varchar(1024),
    userId varchar(64),
    -- @redshift length_text varchar(32),
    file_id integer,
    duplicate boolean
)
-- @redshift diststyle even
