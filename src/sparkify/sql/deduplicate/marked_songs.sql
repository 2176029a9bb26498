-- marked_songs: one row per staged song record.
-- A record is a duplicate if a later one of the same song follows, or if it equals that of the catalogue. Those that
-- contradict the later one are found by contradicting_songs.
select
    s.num_songs, s.artist_id, s.artist_latitude, s.artist_longitude, s.artist_location, s.artist_name,
    s.song_id, s.title, s.duration, s.year, s.file_id, s.position, s.place,
    case
        when s.place > 1 then true
        when c.song_id is null then false
        else
            c.artist_id = s.artist_id
            and coalesce(c.title, '') = coalesce(s.title, '')
            and coalesce(c.artist_name, '') = coalesce(s.artist_name, '')
            and coalesce(c.artist_location, '') = coalesce(s.artist_location, '')
            and coalesce(c.artist_latitude, 1e300) = coalesce(s.artist_latitude, 1e300)
            and coalesce(c.artist_longitude, 1e300) = coalesce(s.artist_longitude, 1e300)
            and coalesce(c.duration, -1) = coalesce(s.duration, -1)
            and coalesce(c.year, 0) = coalesce(s.year, 0)
    end as duplicate
from (
    select
        staging_songs.*,
        row_number() over (partition by song_id order by file_id desc, position desc) as place
    from staging_songs
) as s
left join catalogue as c on c.song_id = s.song_id
