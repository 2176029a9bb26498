-- catalogue: one row per song: its record in force, the one delivered last. Songs and artists are made from it.
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
