-- staging_events: one row per accepted event of the batch, under the source's own names.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- artist: Name of the artist of the song played.
-- auth: Logged In or Logged Out.
-- firstName: Given name.
-- gender: F or M.
-- itemInSession: The event's place in its session.
-- lastName: Family name.
-- length: Length of the song in seconds.
-- level: free or paid.
-- location: A metropolitan area and its states.
-- method: The method of the HTTP request.
-- page: NextSong, or the page asked for.
-- registration: When the user signed up, in milliseconds since 1970.
-- sessionId: The session.
-- song: Title of the song played.
-- status: The status of the HTTP answer.
-- ts: When it happened, in milliseconds since 1970.
-- userAgent: The browser, as it names itself.
-- userId: Who did it; null when logged out.
-- file_id: The file it stands in, in staging_files.
-- duplicate: Whether it changes nothing.
create
-- @duckdb temp
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
