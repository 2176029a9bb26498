-- contradicting_songs: one row per song record that a later record of the same song in another delivery contradicts.
-- A record of the catalogue has no file. One that its file replaces in a new version is not contradicted,
-- unless the earlier version has lost against another file (lost_songs).
with candidates as (
    select
        file_id, position, num_songs, artist_id, artist_latitude, artist_longitude, artist_location, artist_name,
        song_id, title, duration, year
    from marked_songs
    where place > 1
    union all
    select
        null, null, null, c.artist_id, c.artist_latitude, c.artist_longitude, c.artist_location, c.artist_name,
        c.song_id, c.title, c.duration, c.year
    from catalogue as c
    join marked_songs as w on w.song_id = c.song_id
    join staging_files as f on f.file_id = w.file_id
    where
        w.place = 1 and not w.duplicate
        and (not f.redelivered or w.song_id in (select song_id from lost_songs))
)
select c.*
from candidates as c
join marked_songs as w on w.song_id = c.song_id and w.place = 1
where
    c.artist_id <> w.artist_id
    or coalesce(c.title, '') <> coalesce(w.title, '')
    or coalesce(c.artist_name, '') <> coalesce(w.artist_name, '')
    or coalesce(c.artist_location, '') <> coalesce(w.artist_location, '')
    or coalesce(c.artist_latitude, 1e300) <> coalesce(w.artist_latitude, 1e300)
    or coalesce(c.artist_longitude, 1e300) <> coalesce(w.artist_longitude, 1e300)
    or coalesce(c.duration, -1) <> coalesce(w.duration, -1)
    or coalesce(c.year, 0) <> coalesce(w.year, 0)
