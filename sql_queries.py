"""All SQL of the warehouse, in the four lists of the original design, as the configured engine gets it."""

from sparkify import statements

create_table_queries = statements.create_tables()
drop_table_queries = statements.drop_tables()
copy_table_queries = statements.copy_tables()
insert_table_queries = statements.insert_tables()

if __name__ == "__main__":
    everything = [*drop_table_queries, *create_table_queries, *copy_table_queries, *insert_table_queries]
    print(*everything, sep=";\n\n", end=";\n")
