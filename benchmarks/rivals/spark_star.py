"""Local Spark: build the original's five tables as Parquet.

    python spark_star.py load LOGS SONGS OUT    SONGS: a folder of one-song files, or one file with one song per line
    python spark_star.py count OUT

Schemas are explicit, so that Spark does not read the files twice to infer them. The plays are cached in memory, because
three tables are built from them. Two settings follow Spark's "Performance Tuning" page for such data: as many shuffle
partitions as cores instead of 200, and a low cost of opening a file, so that tiny files share tasks.
"""

from __future__ import annotations

import json
import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

LOGS = (
    "artist string, firstName string, gender string, lastName string, length double, level string, location string,"
    " page string, sessionId bigint, song string, ts bigint, userAgent string, userId string"
)
SONGS = (
    "artist_id string, artist_latitude double, artist_longitude double, artist_location string, artist_name string,"
    " song_id string, title string, duration double, year int"
)
TABLES = ("songplays", "users", "songs", "artists", "time")


def session() -> SparkSession:
    """Start Spark in a JVM of this process."""
    return (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", str(os.cpu_count()))
        .config("spark.sql.files.openCostInBytes", "32768")
        .getOrCreate()
    )


def load(logs: str, songs: str, out: str) -> None:
    """Build the five tables."""
    spark = session()
    events = spark.read.schema(LOGS).option("recursiveFileLookup", "true").json(logs)
    plays = events.where("page = 'NextSong'").withColumn("start_time", f.timestamp_millis("ts")).cache()
    catalogue = spark.read.schema(SONGS).option("recursiveFileLookup", "true").json(songs).cache()
    played = (plays.song == catalogue.title) & (plays.artist == catalogue.artist_name)
    made = {
        "songs": catalogue.selectExpr("song_id", "title", "artist_id", "nullif(year, 0) as year", "duration"),
        "artists": catalogue.groupBy("artist_id").agg(
            f.first("artist_name").alias("name"),
            f.first("artist_location").alias("location"),
            f.first("artist_latitude").alias("latitude"),
            f.first("artist_longitude").alias("longitude"),
        ),
        "users": plays.groupBy("userId")
        .agg(f.max_by(f.struct("firstName", "lastName", "gender", "level"), "ts").alias("last"))
        .selectExpr("userId as user_id", "last.firstName", "last.lastName", "last.gender", "last.level"),
        "time": plays.select("start_time")
        .distinct()
        .selectExpr(
            "start_time",
            "hour(start_time) as hour",
            "day(start_time) as day",
            "weekofyear(start_time) as week",
            "month(start_time) as month",
            "year(start_time) as year",
            "dayofweek(start_time) as weekday",
        ),
        "songplays": plays.join(catalogue, played & (plays.length == catalogue.duration), "left").select(
            f.monotonically_increasing_id().alias("songplay_id"),
            "start_time",
            f.col("userId").alias("user_id"),
            "level",
            "song_id",
            "artist_id",
            f.col("sessionId").alias("session_id"),
            "location",
            f.col("userAgent").alias("user_agent"),
        ),
    }
    for table in TABLES:
        made[table].write.parquet(f"{out}/{table}")
    spark.stop()


def count(out: str) -> None:
    """Print the row count of each table."""
    spark = session()
    counts = {table: spark.read.parquet(f"{out}/{table}").count() for table in TABLES}
    counts["matched plays"] = spark.read.parquet(f"{out}/songplays").where("song_id is not null").count()
    spark.stop()
    print(json.dumps(counts))


if __name__ == "__main__":
    what, *places = sys.argv[1:]
    load(*places) if what == "load" else count(*places)
