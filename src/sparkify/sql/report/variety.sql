-- variety: one row: how many different titles and artists were played.
select count(*) as titles, count(distinct artist_name) as artists
from top_tracks
