-- catalogue: one row per song: its record in force, the one delivered last. Songs and artists are made from it.
-- song_id: The catalogue's id of the song.
-- title: The song's title.
-- artist_id: The artist it belongs to.
-- artist_name: The artist as credited on this song.
-- artist_location: Where the artist comes from, as this record has it.
-- artist_latitude: Of that place, in degrees north.
-- artist_longitude: Of that place, in degrees east.
-- duration: Length in seconds.
-- year: The year of release; 0 where it is not known.
create table if not exists catalogue (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    artist_name varchar(512),
    artist_location varchar(512),
    artist_latitude double precision,
    artist_longitude double precision,
    duration double precision,
    year bigint
)
