-- variety: one row: the number of distinct titles and artists played.
select count(*) as titles, count(distinct artist_name) as artists
from top_tracks
