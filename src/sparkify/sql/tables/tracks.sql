-- tracks: one row per recording as the app logs it, with its match in the catalogue.
-- track_id: The MD5 hash of title, artist and duration, in hexadecimal.
-- title: The title of the song, as the app logs it.
-- artist_name: The name of the artist, as the app logs it.
-- duration: The length of the song, in seconds, as the app logs it; null if the log has none.
-- song_id: The catalogue song with exactly the same title, artist and duration; null if there is none.
-- artist_id: The artist of that song, otherwise the artist credited with exactly this name; null if there is none.
create table if not exists tracks (
    track_id varchar(32),
    title varchar(512),
    artist_name varchar(512),
    duration double precision,
    song_id varchar(64),
    artist_id varchar(64)
)
-- @redshift diststyle auto sortkey (track_id)
