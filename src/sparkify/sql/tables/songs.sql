-- songs: one row per song of the catalogue.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
-- @redshift diststyle all sortkey (song_id)
