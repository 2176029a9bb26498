-- staging_songs: one row per accepted song record of the current batch, under the source's own names.
-- On DuckDB it is temporary, unless the run has the option --keep-staging.
-- num_songs: The number of songs in the record, which is 1 in the public sample.
-- artist_id: The catalogue's identifier of the artist.
-- artist_latitude: The latitude of the artist's location, in degrees north; null if unknown.
-- artist_longitude: The longitude of the artist's location, in degrees east; null if unknown.
-- artist_location: The artist's home; null if unknown.
-- artist_name: The name of the artist as credited on this song; null if unknown.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- duration: The length of the recording, in seconds; null if unknown.
-- year: The year of release; 0 or null if unknown.
-- file_id: The file that contains the record, in staging_files.
-- position: The position of the record in its file.
-- duplicate: Whether the record changes nothing.
create
-- @duckdb temp
-- @postgresql unlogged
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
