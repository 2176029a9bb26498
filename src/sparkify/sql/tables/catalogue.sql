-- catalogue: one row per song: its current record, which is the one delivered last.
-- The tables songs and artists are built from it.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- artist_id: The identifier of the song's artist.
-- artist_name: The name of the artist as credited on this song; null if unknown.
-- artist_location: The artist's home according to this record; null if unknown.
-- artist_latitude: The latitude of that location, in degrees north; null if unknown.
-- artist_longitude: The longitude of that location, in degrees east; null if unknown.
-- duration: The length of the recording, in seconds; null if unknown.
-- year: The year of release; null if unknown.
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
