-- artists: one row per artist of the catalogue.
-- artist_id: The catalogue's id of the artist.
-- name: The shortest name that the artist is credited with.
-- location: Where the artist comes from, in the catalogue's own words.
-- latitude: Of that place, in degrees north.
-- longitude: Of that place, in degrees east.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
-- @redshift diststyle all sortkey (artist_id)
