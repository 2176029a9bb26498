-- songs: one row per song of the catalogue.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- artist_id: The artist it belongs to.
-- year: The year of release; null where the catalogue says 0.
-- duration: Length in seconds.
-- artist_name: The artist as credited on this song.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
-- @redshift diststyle all sortkey (song_id)
