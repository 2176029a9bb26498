-- staging_songs: one row per accepted song record of the batch, under the source's own names.
-- On DuckDB it lasts no longer than the run, unless that was told to --keep-staging.
-- num_songs: 1, as the source has it.
-- artist_id: The catalogue's id of the artist.
-- artist_latitude: In degrees north.
-- artist_longitude: In degrees east.
-- artist_location: Where the artist comes from.
-- artist_name: The artist as credited on this song.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- duration: Length in seconds.
-- year: The year of release; 0 where it is not known.
-- file_id: The file it stands in, in staging_files.
-- position: Its place in the file.
-- duplicate: Whether it changes nothing.
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
