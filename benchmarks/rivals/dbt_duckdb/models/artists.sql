-- artists: one row per artist.
select
    artist_id, any_value(artist_name) as name, any_value(artist_location) as location,
    any_value(artist_latitude) as latitude, any_value(artist_longitude) as longitude
from {{ ref("catalogue") }}
group by artist_id
