-- page_views: one row per event that is not a play.
create table if not exists page_views (
    page_view_id varchar(160),
    start_time timestamp,
    user_id varchar(64),
    level varchar(16),
    page varchar(64),
    auth varchar(32),
    method varchar(16),
    status bigint,
    session_id bigint,
    location varchar(512),
    user_agent varchar(1024)
)
-- @redshift diststyle key distkey (start_time) sortkey (start_time)
