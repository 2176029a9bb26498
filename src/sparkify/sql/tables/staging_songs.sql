-- staging_songs: one row per accepted song record of the batch, under the source's own names.
create
-- @duckdb temp
table if not exists staging_songs (
    num_songs bigint,
    artist_id varchar(64),
    artist_latitude double precision,
    artist_longitude double precision,
    artist_location varchar(512),
    artist_name varchar(512),
    song_id varchar(64),
    title varchar(512),
    duration double precision,
    year bigint,
    file_id integer,
    position bigint,
    duplicate boolean
)
-- @redshift diststyle even
