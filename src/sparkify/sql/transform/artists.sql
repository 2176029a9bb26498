-- artists: one row per artist that the catalogue adds or changes.
with named as (
    select artist_id, artist_name
    from (
        select
            artist_id, artist_name,
            row_number() over (partition by artist_id order by length(artist_name), artist_name) as place
        from catalogue
    ) as names
    where place = 1
),
placed as (
    select artist_id, artist_location, artist_latitude, artist_longitude
    from (
        select
            catalogue.*,
            row_number() over (
                partition by artist_id
                order by
                    case when artist_latitude is null or artist_longitude is null then 1 else 0 end,
                    case when artist_location is null then 1 else 0 end,
                    artist_location, artist_latitude, artist_longitude
            ) as place
        from catalogue
    ) as places
    where place = 1
)
select
    named.artist_id,
    named.artist_name as name,
    placed.artist_location as location,
    placed.artist_latitude as latitude,
    placed.artist_longitude as longitude
from named
join placed on placed.artist_id = named.artist_id
left join artists on artists.artist_id = named.artist_id
where
    exists (select 1 from staging_songs where not duplicate)
    and (
        artists.artist_id is null
        or coalesce(artists.name, '') <> coalesce(named.artist_name, '')
        or coalesce(artists.location, '') <> coalesce(placed.artist_location, '')
        or coalesce(artists.latitude, 1e300) <> coalesce(placed.artist_latitude, 1e300)
        or coalesce(artists.longitude, 1e300) <> coalesce(placed.artist_longitude, 1e300)
    )
