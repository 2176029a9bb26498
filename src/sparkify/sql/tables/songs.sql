-- songs: one row per song of the catalogue.
-- song_id: The catalogue's identifier of the song.
-- title: The title of the song; null if unknown.
-- artist_id: The identifier of the song's artist.
-- year: The year of release; null if unknown, which the source writes as 0.
-- duration: The length of the recording, in seconds; null if unknown.
-- artist_name: The name of the artist as credited on this song; null if unknown.
create table if not exists songs (
    song_id varchar(64),
    title varchar(512),
    artist_id varchar(64),
    year bigint,
    duration double precision,
    artist_name varchar(512)
)
-- @redshift diststyle auto sortkey (song_id)
