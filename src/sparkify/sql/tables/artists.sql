-- artists: one row per artist of the catalogue.
-- artist_id: The catalogue's identifier of the artist.
-- name: The shortest name under which the catalogue credits the artist; null if it never names the artist.
-- location: The artist's home, as written in the catalogue; null if unknown.
-- latitude: The latitude of that location, in degrees north; null if unknown.
-- longitude: The longitude of that location, in degrees east; null if unknown.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
-- @redshift diststyle auto sortkey (artist_id)
