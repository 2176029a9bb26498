-- artists: one row per artist of the catalogue.
create table if not exists artists (
    artist_id varchar(64),
    name varchar(512),
    location varchar(512),
    latitude double precision,
    longitude double precision
)
-- @redshift diststyle all sortkey (artist_id)
