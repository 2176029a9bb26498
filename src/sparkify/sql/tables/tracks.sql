-- tracks: one row per recording as the app named it, and what the catalogue knows of it.
-- track_id: The md5 of title, artist and duration.
-- title: The title, as the app named it.
-- artist_name: The artist, as the app named them.
-- duration: Length in seconds, as the app has it.
-- song_id: The catalogue's song with the same title, credited artist and duration; null if it has none.
-- artist_id: That song's artist, else the one credited with exactly this name; null if there is none.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
-- @redshift diststyle all sortkey (track_id)
