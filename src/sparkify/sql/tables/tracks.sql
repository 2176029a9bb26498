-- tracks: one row per recording as the app named it, and what the catalogue knows of it.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
-- @redshift diststyle all sortkey (track_id)
